"""Write the SQL of the curated tables from their table.yaml: ``make sql``; ``make check`` compares it.

A column's name and type stand in include/sql/<table>/table.yaml alone. From it and the templates in
include/sql/templates come the statements that create, publish and tidy the table. Of `stage_session` and
`replace_chunk` only the end is generated: the select above `REST` is written by hand and gives the columns by name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2
import yaml

from tapeline.lake import sql_files
from tapeline.lake.rollup import CURATED

STATEMENTS = {
    **dict.fromkeys(
        CURATED,
        (
            "ddl",
            "staging_ddl",
            "stage_session",
            "checks/duplicate_keys",
            "replace_session",
            "compact",
            "expire",
            "clear_staging",
        ),
    ),
    "daily_history": ("ddl", "incoming_ddl", "replace_chunk"),
}
"""By table: its statements that have a template."""

SELECTS = ("stage_session", "replace_chunk")
REST = "    -- The rest is generated from table.yaml by `make sql`.\n"
"""The statements whose select is written by hand, and the line between it and the generated end of the file."""


def outdated(root: Path = sql_files.ROOT) -> dict[Path, str]:
    """Return the files that are not what their table.yaml says, each with the text that it should have.

    Raises
    ------
    ValueError
        If a file whose end is generated has no line `REST`.
    """
    templates = jinja2.Environment(  # noqa: S701 - SQL, not HTML
        loader=jinja2.FileSystemLoader(root / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    wanted = {}
    for table, statements in STATEMENTS.items():
        described = yaml.safe_load((root / table / "table.yaml").read_text(encoding="utf-8"))
        for name in statements:
            path = root / table / f"{name}.sql"
            text = templates.get_template(f"{name}.sql.jinja").render(
                described,
                file=name,
                bucket=sql_files.BUCKET,
                generated=f"-- Generated: by `make sql` from {table}/table.yaml; change it there.",
            )
            wanted[path] = _select(path, name) + text.strip("\n") + "\n"
    return {path: text for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text}


def main() -> None:
    """Write the files, or with ``--check`` fail and name those that differ."""
    files = outdated()
    names = " ".join(path.relative_to(sql_files.ROOT).as_posix() for path in files)
    if files and "--check" in sys.argv:
        sys.exit(f"Not what table.yaml says; run `make sql`: {names}")
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    print(f"Wrote {names}" if files else "The SQL of the curated tables is what table.yaml says.")


def _select(path: Path, name: str) -> str:
    """Return what a hand has written of a file: all up to `REST`, or nothing."""
    if name not in SELECTS:
        return ""
    select, rest, _ = path.read_text(encoding="utf-8").partition(REST)
    if not rest:
        raise ValueError(f"expected the line {REST.strip()!r} behind the select of {path}, found none")
    return select + rest


if __name__ == "__main__":
    main()
