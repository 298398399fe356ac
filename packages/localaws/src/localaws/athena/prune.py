"""Which conditions of a query hold for every row it needs of a table, so that partitions and files can be left out.

Conditions travel from a SELECT into the tables it joins and into the subqueries it reads from, as far as that is
certainly right; where it is not, nothing is pruned, which costs time but no row.
"""

from __future__ import annotations

from itertools import chain

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

Conditions = list[exp.Expr]

_SIMPLE = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Like)


def conditions_by_scan(tree: exp.Expr) -> dict[str, Conditions]:
    """Return the conditions on each scan of a query whose names are resolved; their columns have lost their table."""
    by_scan: dict[str, Conditions] = {}
    root = build_scope(tree.copy())
    if root is not None:
        for scope in root.traverse():
            _put_constants(scope)
        counts: dict[int, int] = {}
        for scope in root.traverse():
            for _, source in scope.selected_sources.values():
                counts[id(source)] = counts.get(id(source), 0) + 1
        _descend(root, [], by_scan, counts, set())
    return by_scan


def _put_constants(scope: Scope) -> None:
    """Put constants in the place of the columns of a one-row SELECT of constants, as Trino does before it plans."""
    node = scope.expression
    joins = node.args.get("joins") or []
    if not isinstance(node, exp.Select) or any(join.side in ("RIGHT", "FULL") for join in joins):
        return
    optional = {join.this.alias_or_name for join in joins if join.side}
    for alias, (_, source) in scope.selected_sources.items():
        if alias not in optional and isinstance(source, Scope) and (constants := _constants(source.expression)):
            for column in scope.columns:
                if column.table == alias:
                    column.replace(constants[column.name].copy())


def _constants(node: exp.Expr) -> dict[str, exp.Expr]:
    """Return the columns of a SELECT that has nothing but constants, or nothing."""
    if not isinstance(node, exp.Select) or {name for name, value in node.args.items() if value} != {"expressions"}:
        return {}
    parts = [part for item in node.selects for part in item.find_all(exp.Column, exp.Query, exp.Func)]
    if not all(isinstance(part, exp.Cast) for part in parts):  # a date is a cast of its text
        return {}
    return {item.alias_or_name: item.unalias() for item in node.selects}


def _descend(
    scope: Scope, inherited: Conditions, by_scan: dict[str, Conditions], counts: dict[int, int], done: set[int]
) -> None:
    done.add(id(scope))
    node = scope.expression
    if isinstance(node, exp.SetOperation):
        names = [item.alias_or_name for item in node.selects]
        for side in scope.set_operation_scopes:
            selects = side.expression.selects if isinstance(side.expression, exp.Query) else []
            own = dict(zip(names, (item.alias_or_name for item in selects), strict=False))
            _descend(side, [_renamed(condition, own) for condition in inherited], by_scan, counts, done)
    elif isinstance(node, exp.Select):
        conditions = _own_conditions(node) + _through_projections(node, inherited)
        conditions += _by_equality(conditions)
        for alias, (_, source) in scope.selected_sources.items():
            here = [_stripped(condition) for condition in conditions if _holds_for(condition, alias, node)]
            here += [_stripped(condition) for condition in _on_conditions(node, alias)]
            if isinstance(source, exp.Table):
                by_scan.setdefault(source.name, []).extend(here)
            elif counts.get(id(source)) == 1 and id(source) not in done:
                _descend(source, here, by_scan, counts, done)
    inner = chain(scope.cte_scopes, scope.subquery_scopes, scope.derived_table_scopes)
    for child in inner:
        if id(child) not in done:
            _descend(child, [], by_scan, counts, done)


def conjuncts(condition: exp.Expr | None) -> Conditions:
    """Return the conditions that all have to hold for this one to hold."""
    parts = condition.flatten() if isinstance(condition, exp.And) else filter(None, [condition])
    return [part.unnest() for part in parts]


def _own_conditions(node: exp.Select) -> Conditions:
    where = node.args.get("where")
    conditions = conjuncts(where and where.this)
    for join in node.args.get("joins") or []:
        if not join.side and not _has_outer_join(node):
            conditions += conjuncts(join.args.get("on"))
    return conditions


def _on_conditions(node: exp.Select, alias: str) -> Conditions:
    """Return the conditions of a LEFT JOIN's ON that speak of nothing but the joined side."""
    for join in node.args.get("joins") or []:
        if join.side == "LEFT" and join.this.alias_or_name == alias:
            return [part for part in conjuncts(join.args.get("on")) if _tables(part) == {alias} and _is_plain(part)]
    return []


def _holds_for(condition: exp.Expr, alias: str, node: exp.Select) -> bool:
    if _tables(condition) != {alias} or not _is_plain(condition):
        return False
    return not _has_outer_join(node) or _rejects_null(condition)


def _rejects_null(condition: exp.Expr) -> bool:
    """Whether a null in its column never makes it true, so that it holds on the optional side of an outer join too."""
    return isinstance(condition, _SIMPLE) and isinstance(condition.this, exp.Column)


def _has_outer_join(node: exp.Select) -> bool:
    return any(join.side for join in node.args.get("joins") or [])


def _by_equality(conditions: Conditions) -> Conditions:
    """Return what must hold of a column because it holds of one that is equal to it."""
    equal = [
        (condition.this, condition.expression)
        for condition in conditions
        if isinstance(condition, exp.EQ)
        and isinstance(condition.this, exp.Column)
        and isinstance(condition.expression, exp.Column)
    ]
    implied = []
    for pair in equal:
        for here, there in (pair, pair[::-1]):
            for condition in conditions:
                columns = list(condition.find_all(exp.Column))
                if columns and all(column == here for column in columns) and isinstance(condition, _SIMPLE):
                    implied.append(
                        condition.transform(lambda item, here=here, there=there: there.copy() if item == here else item)
                    )
    return implied


def _through_projections(node: exp.Select, inherited: Conditions) -> Conditions:
    """Rewrite conditions on a SELECT's output as ones on its input, where a row that they drop changes no other row."""
    if not inherited or node.args.get("limit") or node.args.get("offset"):
        return []
    group = node.args.get("group")
    sources: dict[str, exp.Expr] = {}
    for item in node.selects:
        column = item.unalias()
        if isinstance(column, exp.Column) and _is_partitioning(column, node, group):
            sources[item.alias_or_name] = column
    return [
        condition.transform(lambda part: sources[part.name].copy() if isinstance(part, exp.Column) else part)
        for condition in inherited
        if all(column.name in sources for column in condition.find_all(exp.Column))
    ]


def _is_partitioning(column: exp.Column, node: exp.Select, group: exp.Expr | None) -> bool:
    """Whether dropping all rows of one value of this column leaves groups and windows of other values as they are."""
    if group is not None and column not in group.expressions:
        return False
    windows = [*node.find_all(exp.Window)]
    return all(column in (window.args.get("partition_by") or []) for window in windows)


def _tables(condition: exp.Expr) -> set[str]:
    return {column.table for column in condition.find_all(exp.Column)}


def _is_plain(condition: exp.Expr) -> bool:
    return not any(condition.find(kind) for kind in (exp.Query, exp.Window))


def _renamed(condition: exp.Expr, names: dict[str, str]) -> exp.Expr:
    return condition.transform(
        lambda part: (
            exp.column(names[part.name], quoted=True) if isinstance(part, exp.Column) and part.name in names else part
        )
    )


def _stripped(condition: exp.Expr) -> exp.Expr:
    return condition.transform(
        lambda part: exp.column(part.name, quoted=True) if isinstance(part, exp.Column) else part
    )
