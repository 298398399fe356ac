"""Write the tables of docs/data-model.md from the files table.yaml: ``make sql``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tapeline.lake import sql_files

DOCUMENT = Path(__file__).parents[2] / "docs" / "data-model.md"
PASSAGE = re.compile(r"(?<=-->\n)(.*?)(?=<!-- end of tables -->)", re.DOTALL)
TABLES = ("minute_bars", "daily_summary", "anomalies", "daily_history", "trading_sessions")


def passage() -> str:
    return "\n" + "\n".join(
        section(yaml.safe_load((sql_files.ROOT / table / "table.yaml").read_text(encoding="utf-8"))) for table in TABLES
    )


def section(told: dict[str, Any]) -> str:
    partitions = f", partitioned by `{told['partitioned_by']}`" if "partitioned_by" in told else ""
    lines = [
        f"## {told['table']}",
        "",
        f"{told['kind']}{partitions}: {told['grain']}. Key: {', '.join(f'`{name}`' for name in told['key'])}.",
        "",
        "| column | type | unit | meaning |",
        "|---|---|---|---|",
    ]
    for name, column in told["columns"].items():
        meaning = column["meaning"].replace("|", "\\|")
        lines.append(f"| `{name}` | {column['type']} | {column.get('unit', '')} | {meaning} |".replace("|  |", "| |"))
    return "\n".join([*lines, "", *(f"- {limit.strip()}" for limit in told["limits"]), ""])


def current() -> str:
    found = PASSAGE.search(DOCUMENT.read_text(encoding="utf-8"))
    assert found is not None, f"{DOCUMENT} has no passage between the two comments"
    return found[1]


if __name__ == "__main__":
    document = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(PASSAGE.sub(lambda _: passage(), document, count=1), encoding="utf-8")
