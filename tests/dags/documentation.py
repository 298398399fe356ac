"""Write DAGs.md from the docstrings of the DAGs: ``python -m tests.dags.documentation``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "DAGs.md"
INTRODUCTION = """\
# DAGs

Written from the docstrings of the files in [dags](dags) by `python -m tests.dags.documentation`; a test compares. In
the UI the same text is behind the book icon of each DAG's page.

| DAG | when | does |
|---|---|---|
"""


def render(dag_bag: Any) -> str:
    dags = sorted(dag_bag.dags.values(), key=lambda dag: dag.dag_id)
    rows, pages = [], []
    for dag in dags:
        heading, _, text = dag.doc_md.strip().partition("\n")
        title = heading.removeprefix(f"# {dag.dag_id}: ")
        rows.append(f"| [{dag.dag_id}](#{dag.dag_id}) | {when(dag)} | {title} |")
        pages.append(f"\n## {dag.dag_id}\n\n{title[0].upper()}{title[1:]}.\n{text.rstrip()}\n")
    return INTRODUCTION + "\n".join(rows) + "\n" + "".join(pages)


def when(dag: Any) -> str:
    from airflow.serialization.encoders import coerce_to_core_timetable

    timetable = coerce_to_core_timetable(dag.timetable)
    if not timetable.can_be_scheduled:
        return "by hand"
    assets = sorted({asset.name for _, asset in timetable.asset_condition.iter_assets()})
    if assets:
        return "after " + ", ".join(f"`{name}`" for name in assets)
    return re.sub(r"; .*", "", timetable.description or timetable.summary)


if __name__ == "__main__":
    from tests import airflow_home  # noqa: F401 - before anything imports Airflow
    from tests.dags import conftest

    conftest.airflow_database.__wrapped__()  # type: ignore[attr-defined]
    from airflow.dag_processing.dagbag import DagBag

    DOCUMENT.write_text(render(DagBag(bundle_name="dags-folder")), encoding="utf-8")
