"""Runs a statement: finds its kind, hands it to the module that does it, and puts failures into Athena's words."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from botocore.exceptions import ClientError
from sqlglot import exp

from localaws.athena import culprits, ddl, listing, prepared, results, writes
from localaws.athena.catalog import Catalog
from localaws.athena.errors import QueryError, denied, unsupported
from localaws.athena.grammar import parse_statement
from localaws.athena.query import bind, run_explain, run_select
from localaws.athena.statements import Caller, Outcome, Statement, strip_comments
from localaws.athena.storage import Lake
from localaws.athena.work import Work
from localaws.clients import Clients

logger = logging.getLogger(__name__)
logging.getLogger("sqlglot").setLevel(logging.ERROR)


class Engine:
    """Runs statements, one at a time.

    Parameters
    ----------
    clients_of : callable
        Returns the clients of a statement's `caller`, as whom catalog and lake are read and written.
    files : Path
        Folder in which the local AWS keeps the buckets.
    scratch : Path
        Folder for what does not fit into memory and for results on their way.
    """

    def __init__(self, clients_of: Callable[[Caller], Clients], files: Path, scratch: Path) -> None:
        self._clients_of = clients_of
        self._files = files
        self._scratch = scratch / "statement"
        self._database = duckdb.connect(
            config={"threads": 2, "memory_limit": "2GB", "temp_directory": str(scratch / "spill")}
        )
        results.prepare(self._database)

    def execute(self, statement: Statement) -> Outcome:
        """Run a statement and store its result.

        Raises
        ------
        QueryError
            If it fails for a reason that its author can fix.
        ScanLimitError
            If it would read more than its workgroup allows.
        """
        self._scratch.mkdir(parents=True, exist_ok=True)
        aws = self._clients_of(statement.caller)
        lake = Lake(aws.client("s3"), self._files, self._scratch, is_owner=statement.caller is None)
        catalog = Catalog(aws.client("glue"), ("default", statement.database.lower()))
        work = Work(statement, self._database.cursor(), catalog, lake, aws.client("athena"))
        try:
            outcome = run(work, statement.sql)
            outcome.scanned = work.scanned
        except duckdb.Error as error:
            logger.debug("DuckDB refused %s", statement.sql, exc_info=True)
            raise culprits.explain(lake.suspects) or explain(error, lake.names) from error
        except (ClientError, OSError) as error:
            raise denied(error) or error from error
        else:
            return outcome
        finally:
            work.close()
            shutil.rmtree(self._scratch, ignore_errors=True)


_BARE = re.compile(
    r"(?P<before>(?>\s+|--[^\n]*\n|/\*.*?\*/)*+)(?P<word>alter|drop|msck|optimize|vacuum)\b", re.IGNORECASE | re.DOTALL
)
"""Refused by Athena behind a comment, or never sent so by dbt-athena (dbt-labs/dbt-athena, issue 54)."""


def run(work: Work, sql: str) -> Outcome:
    """Run a statement by its first words, then by what it parses to."""
    text = strip_comments(sql)
    if (found := _BARE.match(sql)) and found["before"].strip():
        lines = found["before"].split("\n")
        place = f"line {len(lines)}:{len(lines[-1]) + 1}"
        raise QueryError("", f"{place}: mismatched input '{found['word']}' behind a comment")
    if not re.match(r"(?i)(execute|prepare)\s", text):
        text = bind(text, work.statement.parameters)
    for pattern, runner in _BY_WORDS:
        if re.match(pattern, text, re.IGNORECASE | re.DOTALL):
            return runner(work, text)
    tree = parse_statement(text)
    for kind, run_tree in _BY_TREE:
        if isinstance(tree, kind):
            return run_tree(work, tree)
    raise unsupported(text.split("\n")[0][:80])


def _execute(work: Work, text: str) -> Outcome:
    inner = prepared.bound(work, text)
    work.statement = replace(work.statement, parameters=())
    return run(work, inner)


def _explain(work: Work, text: str) -> Outcome:
    query = re.sub(r"(?i)^explain\s+", "", text)
    if re.match(r"(?i)(analyze|\()", query):
        raise unsupported("EXPLAIN ANALYZE and EXPLAIN options")
    return run_explain(work, parse_statement(query))


def _unload(_: Work, text: str) -> Outcome:
    raise unsupported(f"UNLOAD, use CREATE TABLE AS: {text[:40]}")


_BY_WORDS: tuple[tuple[str, Callable[[Work, str], Outcome]], ...] = (
    (r"execute\s", _execute),
    (r"prepare\s", prepared.prepare),
    (r"deallocate\s+prepare\s", prepared.deallocate),
    (r"explain\s", _explain),
    (r"unload\s*\(", _unload),
    (r"(optimize|vacuum)\s", writes.maintain),
    (r"msck\s+repair\s+table\s", ddl.repair_table),
    (r"show\s", listing.show),
    (r"desc(ribe)?\s", listing.describe),
    (r"create\s+(or\s+replace\s+)?view\s", ddl.create_view),
    (r"create\s+(database|schema)\s", ddl.create_database),
    (r"create\s+external\s+table\s", ddl.create_table),
    (r"create\s+table\s.*?\sas\s*(\(\s*)*(select|with|values|table)\s", writes.create_table_as),
    (r"create\s+table\s", ddl.create_table),
    (r"alter\s+table\s", ddl.alter_table),
    (r"drop\s", ddl.drop),
)
_BY_TREE: tuple[tuple[Any, Callable[[Work, Any], Outcome]], ...] = (
    (exp.Query, run_select),
    (exp.Values, run_select),
    (exp.Insert, writes.insert),
    ((exp.Merge, exp.Delete, exp.Update), writes.change),
)


def explain(error: duckdb.Error, names: dict[str, str]) -> QueryError:
    """Put an error of DuckDB into Athena's words; `names` says what is in a local file."""
    message = re.sub(r'(?<=file ")[^"]+(?=")', lambda match: names.get(match[0], match[0]), str(error))
    if marked := re.search(r"!!(.*?)!!", message, re.DOTALL):
        code, _, rest = marked[1].partition(": ")
        return QueryError(code, rest)
    first = message.splitlines()[0]
    for pattern, code, words in _ERRORS:
        if found := re.search(pattern, message):
            return QueryError(code, words.format(*found.groups(), first=first))
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError("EXCEEDED_LOCAL_MEMORY_LIMIT", first)
    return QueryError("SYNTAX_ERROR", first)


_ERRORS = (
    (r"Division by zero", "DIVISION_BY_ZERO", "Division by zero"),
    (r"[Mm]ore than one row", "SUBQUERY_MULTIPLE_ROWS", "Scalar sub-query has returned multiple rows"),
    (r"clause cannot contain (aggregates|window functions)", "EXPRESSION_NOT_SCALAR", "{first}"),
    (r"aggregate function calls cannot be nested", "NESTED_AGGREGATION", "{first}"),
    (r"Duplicate CTE name", "DUPLICATE_NAMED_QUERY", "{first}"),
    (
        r"(?:date|time|timestamp) field value out of range: \"(.*?)\"",
        "INVALID_CAST_ARGUMENT",
        "Value cannot be cast: {0}",
    ),
    (
        r"Type (DOUBLE|FLOAT) with value (\S+) can't be cast because .* INT64",
        "INVALID_CAST_ARGUMENT",
        "Unable to cast {1} to bigint",
    ),
    (r"must appear in the GROUP BY clause", "EXPRESSION_NOT_AGGREGATE", "{first}"),
    (r"Overflow|out of range|Out of Range", "NUMERIC_VALUE_OUT_OF_RANGE", "{first}"),
    (r"Conversion Error: (.*)", "INVALID_CAST_ARGUMENT", "{0}"),
    (r"Could not parse string \"(.*?)\" according to format", "INVALID_FUNCTION_ARGUMENT", 'Invalid format: "{0}"'),
    (r"Map keys must be unique", "NOT_SUPPORTED", "not supported on the laptop: map_agg of a key that comes twice"),
    (r"TRY", "NOT_SUPPORTED", "not supported on the laptop: TRY around an aggregate or subquery; {first}"),
    (r"INTERRUPT", "USER_CANCELED", "Query was cancelled"),
)
