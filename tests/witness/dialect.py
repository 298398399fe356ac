"""Turns a statement as Athena takes it into the one that does the same in Trino.

Both speak one language for queries and changes, but for literals with a point, which are doubles in Athena. Statements
that only Athena takes become those of the connectors (trino.io, "Hive connector", "Iceberg connector", 476).
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/|[A-Za-z_][\w$]*)"""
    r"|(?P<number>\d+\.\d*|\.\d+|\d+)(?P<exponent>[eE][+-]?\d+)?",
    re.DOTALL,
)

Rule = Callable[[re.Match[str]], str]


def points_as_doubles(sql: str) -> str:
    """Give the literals with a point an exponent, so that Trino takes them for doubles too.

    >>> points_as_doubles("SELECT 1.5, .5, 5., 1.5e2, 7, DECIMAL '1.5', t1.x -- 1.5")
    "SELECT 1.5E0, .5E0, 5.E0, 1.5e2, 7, DECIMAL '1.5', t1.x -- 1.5"
    """

    def written(token: re.Match[str]) -> str:
        pointed = token["number"] and "." in token["number"] and not token["exponent"]
        return token[0] + "E0" if pointed else token[0]

    return _TOKEN.sub(written, sql)


def to_trino(sql: str) -> str | None:
    """Return Trino's statement, or None where it has none that does the same."""
    text = re.sub(r"(\s|;)+\Z", "", sql)
    bare = re.sub(r"\A(?:\s*--[^\n]*\n)*", "", text)
    for pattern, rule in _RULES:
        if match := re.fullmatch(pattern, text if re.match(_BEHIND_COMMENT, text) else bare, re.IGNORECASE | re.DOTALL):
            return rule(match)
    if re.match(rf"(?i)({'|'.join(_ATHENA_ONLY)})\b", text) or re.match(_BEHIND_COMMENT, text):
        return None
    return points_as_doubles(text)


_ATHENA_ONLY = ("msck", "show", "describe", "unload", "create external", "alter", "vacuum", "optimize")
_BEHIND_COMMENT = r"(?is)\s*(--[^\n]*\n|/\*.*?\*/)(?:\s|--[^\n]*\n|/\*.*?\*/)*(alter|drop|msck|optimize|vacuum)\b"
"""What Athena alone refuses there."""


def _iceberg_table(match: re.Match[str]) -> str:
    """Write Athena's CREATE TABLE of an Iceberg table in Trino's words."""
    columns = ", ".join(f"{name} {_type(kind)}" for name, kind in _columns(match["columns"]))
    options = [f"location = {match['location']}"]
    if match["parts"]:
        parts = ", ".join(f"'{_transform(part)}'" for part in _split(match["parts"]))
        options.append(f"partitioning = ARRAY[{parts}]")
    exists = "IF NOT EXISTS " if match["exists"] else ""
    return f"CREATE TABLE {exists}{match['name']} ({columns}) WITH ({', '.join(options)})"


def _table_as(match: re.Match[str]) -> str:
    """Write the properties of Athena's CREATE TABLE AS in Trino's words."""
    options = dict(re.split(r"\s*=\s*", option, maxsplit=1) for option in _split(match["options"] or ""))
    iceberg = options.pop("table_type", "").upper() == "'ICEBERG'"
    options.pop("is_external", None)
    location = options.pop("external_location", None)
    if location:
        options["external_location"] = location
    name = match["name"]
    if not iceberg:
        name = f"hive.{{schema}}.{name}"
    written = ", ".join(f"{option} = {value}" for option, value in options.items())
    return f"CREATE TABLE {name} {f'WITH ({written}) ' if written else ''}AS {points_as_doubles(match['query'])}"


def _added_columns(match: re.Match[str]) -> str:
    [(name, kind)] = _columns(match["columns"])
    return f"ALTER TABLE {match['name']} ADD COLUMN {name} {_type(kind)}"


def _columns(text: str) -> list[tuple[str, str]]:
    pairs = (re.split(r"\s+", column.strip(), maxsplit=1) for column in _split(text))
    return [(name.replace("`", '"'), kind) for name, kind in pairs]


def _split(text: str) -> list[str]:
    """Split at the commas outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, character in enumerate(text):
        quoted ^= character == "'"
        depth += 0 if quoted else (character in "(<[") - (character in ")>]")
        if character == "," and not depth and not quoted:
            parts.append(text[start:place].strip())
            start = place + 1
    return [part for part in (*parts, text[start:].strip()) if part]


def _type(kind: str) -> str:
    """Spell a type of a table's definition as Trino does; an Iceberg timestamp has six digits."""
    kind = re.sub(r"(?i)\s+comment\s+'[^']*'", "", kind).strip().lower()
    if match := re.fullmatch(r"array<(.*)>", kind):
        return f"array({_type(match[1])})"
    if match := re.fullmatch(r"map<(.*)>", kind):
        return f"map({', '.join(_type(one) for one in _split(match[1]))})"
    if match := re.fullmatch(r"struct<(.*)>", kind):
        fields = (field.split(":", 1) for field in _split(match[1]))
        return "row(" + ", ".join(f"{name} {_type(one)}" for name, one in fields) + ")"
    names = {"string": "varchar", "int": "integer", "float": "real", "binary": "varbinary", "timestamp": "timestamp(6)"}
    return names.get(kind, kind)


def _transform(part: str) -> str:
    """Write a partition transform: Athena's truncate and bucket have the number first."""
    if match := re.fullmatch(r"(?i)(truncate|bucket)\((\d+),\s*(\w+)\)", part):
        return f"{match[1]}({match[3]}, {match[2]})"
    return part.lower()


_RULES: tuple[tuple[str, Rule], ...] = (
    (
        r"create table (?P<exists>if not exists )?(?P<name>[\w.]+)\s*\((?P<columns>.*?)\)\s*"
        r"(?:partitioned by\s*\((?P<parts>.*?)\)\s*)?location\s*(?P<location>'[^']*')\s*"
        r"tblproperties\s*\(.*?'iceberg'.*\)",
        _iceberg_table,
    ),
    (
        r"create table (?P<name>[\w.]+)\s+(?:with\s*\((?P<options>.*?)\)\s+)?as\s+"
        r"(?P<query>\(*(?:select|with|values)\b.*)",
        _table_as,
    ),
    (r"alter table (?P<name>[\w.]+) add columns\s*\((?P<columns>.*)\)", _added_columns),
    (
        r"optimize (?P<name>[\w.]+) rewrite data using bin_pack",
        lambda found: f"ALTER TABLE {found['name']} EXECUTE optimize",
    ),
    (
        r"vacuum (?P<name>[\w.]+)(\s*--.*)?",
        lambda found: f"ALTER TABLE {found['name']} EXECUTE expire_snapshots(retention_threshold => '5d')",
    ),
    (
        r"(?P<verb>create|drop) database (?P<rest>.*)",
        lambda found: f"{found['verb']} SCHEMA {found['rest']}",
    ),
    (
        r"msck repair table (?P<name>[\w.]+)",
        lambda found: f"CALL hive.system.sync_partition_metadata('{{schema}}', '{found['name']}', 'ADD')",
    ),
    (
        r"alter table (?P<name>[\w.]+) add partition \((?P<key>\w+) = (?P<value>'[^']*')\)",
        lambda found: (
            f"CALL hive.system.register_partition('{{schema}}', '{found['name']}', "
            f"ARRAY['{found['key']}'], ARRAY[{found['value']}])"
        ),
    ),
)
"""Statements that Trino words otherwise. A script's own database is put in place of {schema}."""
