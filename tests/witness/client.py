"""Speaks Trino's client protocol and writes answers as Athena writes them into a result's CSV.

The protocol is documented at trino.io, "Trino client REST API". Its own Python client turns values into Python's, which
loses how Java writes them; here the text stays.
"""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

_NODE_SECONDS = 30

Row = list[str | None]
Signature = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine answered: columns as `name type`, rows of texts, or the name of the error and its words."""

    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    updated: int | None = None
    error: str = ""
    message: str = ""


class Trino:
    """A server, asked one statement after the other as one session.

    Parameters
    ----------
    url : str
        Where it answers.
    catalog : str
        Catalog of names without one.
    """

    def __init__(self, url: str, catalog: str) -> None:
        self._url = url
        self._catalog = catalog
        self._prepared: dict[str, str] = {}

    def is_up(self) -> bool:
        """Tell whether it takes statements by now."""
        try:
            with urllib.request.urlopen(f"{self._url}/v1/info", timeout=5) as answer:  # noqa: S310 (our own)
                started: bool = not json.load(answer)["starting"]
                return started
        except OSError:
            return False

    def version(self) -> str:
        """Return the version that it says it is."""
        return str(self.run("SELECT version()", "").rows[0][0])

    def run(self, sql: str, schema: str) -> Answer:
        """Run a statement to its end."""
        deadline = time.monotonic() + _NODE_SECONDS
        while (answer := self._run(sql, schema)).error == "NO_NODES_AVAILABLE" and time.monotonic() < deadline:
            time.sleep(0.5)  # it answers before it has found itself
        return answer

    def _run(self, sql: str, schema: str) -> Answer:
        headers = {
            "X-Trino-User": "witness",
            "X-Trino-Catalog": self._catalog,
            "X-Trino-Schema": schema,
            "X-Trino-Time-Zone": "UTC",
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",  # else it cuts timestamps to three digits
        }
        prepared = ",".join(f"{name}={urllib.parse.quote(text)}" for name, text in self._prepared.items())
        if prepared:
            headers["X-Trino-Prepared-Statement"] = prepared
        page = self._ask(urllib.request.Request(f"{self._url}/v1/statement", sql.encode(), headers))  # noqa: S310 (our own)
        signatures: list[tuple[str, Signature]] = []
        rows: list[Row] = []
        while True:
            if page.get("columns"):
                signatures = [(column["name"], column["typeSignature"]) for column in page["columns"]]
            for row in page.get("data") or []:
                rows.append([text(value, kind) for value, (_, kind) in zip(row, signatures, strict=True)])
            if error := page.get("error"):
                return Answer(error=error["errorName"], message=error["message"])
            if "nextUri" not in page:
                columns = [f"{name} {spell(kind)}" for name, kind in signatures]
                return Answer(columns, rows, page.get("updateCount"))
            page = self._ask(urllib.request.Request(page["nextUri"]))  # noqa: S310 (our own)

    def _ask(self, request: urllib.request.Request) -> dict[str, Any]:
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310 (our own)
            for added in answer.headers.get_all("X-Trino-Added-Prepare") or []:
                name, _, statement = added.partition("=")
                self._prepared[name] = urllib.parse.unquote_plus(statement)
            for gone in answer.headers.get_all("X-Trino-Deallocated-Prepare") or []:
                self._prepared.pop(gone, None)
            # A float stays the text that Java wrote, which is what Athena writes.
            page: dict[str, Any] = json.load(answer, parse_float=str)
            return page


def text(value: Any, kind: Signature) -> str | None:
    """Write a value as Athena does.

    >>> text(["a", None], {"rawType": "array", "arguments": [{"value": {"rawType": "varchar", "arguments": []}}]})
    '[a, null]'
    """
    if value is None:
        return None
    arguments = kind["arguments"]
    match kind["rawType"]:
        case "boolean":
            return str(value).lower()
        case "varbinary":
            return base64.b64decode(value).hex(" ")
        case "array":
            return "[" + ", ".join(_inner(one, arguments[0]["value"]) for one in value) + "]"
        case "map":
            key, item = (argument["value"] for argument in arguments)
            pairs = ((text(one, key), _inner(other, item)) for one, other in value.items())
            return "{" + ", ".join(f"{one}={other}" for one, other in pairs) + "}"
        case "row":
            fields = [argument["value"] for argument in arguments]
            names = [(one.get("fieldName") or {"name": f"field{place}"})["name"] for place, one in enumerate(fields)]
            inner = (_inner(one, field["typeSignature"]) for one, field in zip(value, fields, strict=True))
            return "{" + ", ".join(f"{name}={one}" for name, one in zip(names, inner, strict=True)) + "}"
        case "timestamp" | "timestamp with time zone" | "time":
            return _with_milliseconds(value)
    return str(value)


def _with_milliseconds(moment: str) -> str:
    """Write a moment with three digits of a second at least, as Athena shows it.

    >>> _with_milliseconds("2012-10-30 18:00:00 America/Los_Angeles"), _with_milliseconds("01:02:03.1234")
    ('2012-10-30 18:00:00.000 America/Los_Angeles', '01:02:03.1234')
    """
    return re.sub(
        r"(:\d\d)(?:\.(\d{1,2}))?(?![\d:.])(.*)", lambda found: f"{found[1]}.{found[2] or '':0<3}{found[3]}", moment
    )


def _inner(value: Any, kind: Signature) -> str:
    return "null" if value is None else str(text(value, kind))


def spell(kind: Signature) -> str:
    """Spell a type as Athena does in the description of a result.

    >>> spell({"rawType": "decimal", "arguments": [{"value": 4}, {"value": 1}]})
    'decimal(4,1)'
    """
    name: str = kind["rawType"]
    if name == "decimal":
        return "decimal(" + ",".join(str(argument["value"]) for argument in kind["arguments"]) + ")"
    return "float" if name == "real" else name
