"""VALUES and UNNEST in a FROM clause."""

from __future__ import annotations

from sqlglot import exp

from localaws.athena.casts import Value, coerce, identifier
from localaws.athena.errors import QueryError, mismatch, unsupported
from localaws.athena.expressions import Columns, Expressions
from localaws.athena.names import UNNAMED
from localaws.athena.operators import beside_char
from localaws.athena.types import BIGINT, UNKNOWN, common


def replace_values(node: exp.Values, expressions: Expressions) -> Columns:
    """Write VALUES in place, its columns as wide as their widest cell, and return the columns."""
    rows = [
        [expressions.value(cell) for cell in (row.expressions if isinstance(row, exp.Tuple) else [row])]
        for row in node.expressions
    ]
    for row in rows:
        if len(row) != len(rows[0]):
            raise mismatch(f"Values rows have mismatched sizes: {len(rows[0])} vs {len(row)}")
    columns = [beside_char(list(column)) for column in zip(*rows, strict=True)]
    rows = [list(row) for row in zip(*columns, strict=True)]
    kinds = [UNKNOWN] * len(columns)
    for row in rows:
        merged = [common(kind, cell.type) for kind, cell in zip(kinds, row, strict=True)]
        if None in merged:
            raise mismatch("Values rows have mismatched types")
        kinds = [kind for kind in merged if kind]
    names = node.alias_column_names
    cells = [
        "(" + ", ".join(coerce(cell, kind).sql for cell, kind in zip(row, kinds, strict=True)) + ")" for row in rows
    ]
    listed = ", ".join(map(identifier, names))
    node.replace(exp.Var(this=f"(VALUES {', '.join(cells)}) AS {identifier(node.alias)}({listed})"))
    return list(zip(names, kinds, strict=True))


def replace_unnest(node: exp.Unnest, expressions: Expressions) -> Columns:
    """Write UNNEST in place, as a lateral subquery, and return its columns; a map becomes two of them.

    Rows become as many columns as they have fields, as in Trino, but where one name is given: Athena makes one column
    of them then, which Trino refuses (Athena User Guide, "Query arrays with complex types", "CloudTrail logs").
    """
    pieces: list[Value] = []
    lengths = []
    named = not node.alias_column_names[0].startswith(UNNAMED)
    alone = named and len(node.expressions) == 1 and len(node.alias_column_names) == 1
    for item in node.expressions:
        value = expressions.value(item)
        lengths.append(f"len({value.sql})" if value.type.name == "array" else f"cardinality({value.sql})")
        if value.type.name == "map":
            pieces += [
                Value(f"unnest(map_{part}({value.sql}))", kind)
                for part, kind in zip(("keys", "values"), value.type.arguments, strict=True)
            ]
        elif value.type.name == "array" and value.type.arguments[0].name == "row" and not alone:
            pieces += [
                Value(f"unnest(list_transform({value.sql}, lambda r: struct_extract_at(r, {number})))", kind)
                for number, (_, kind) in enumerate(value.type.arguments[0].arguments, 1)
            ]
        elif value.type.name == "array":
            pieces.append(Value(f"unnest({value.sql})", value.type.arguments[0]))
        else:
            raise mismatch(f"Cannot unnest type: {value.type}")
    if node.args.get("offset"):
        longest = f"greatest({', '.join(f'coalesce({length}, 0)' for length in lengths)})"
        pieces.append(Value(f"unnest(range(1, CAST({longest} AS BIGINT) + 1))", BIGINT))
    names = [*node.alias_column_names]
    if node.args.get("offset") and isinstance(node.args["offset"], exp.Identifier) and len(names) < len(pieces):
        names.append(node.args["offset"].name)
    if len(names) != len(pieces):
        if not named:
            raise unsupported("UNNEST of maps or rows without names for its columns")
        raise QueryError(
            "MISMATCHED_COLUMN_ALIASES",
            f"Column alias list has {len(names)} entries but relation has {len(pieces)} columns",
        )
    shown = ", ".join(f"{piece.sql} AS {identifier(name)}" for piece, name in zip(pieces, names, strict=True))
    node.replace(exp.Var(this=f"LATERAL (SELECT {shown}) AS {identifier(node.alias)}"))
    return [(name, piece.type) for name, piece in zip(names, pieces, strict=True)]
