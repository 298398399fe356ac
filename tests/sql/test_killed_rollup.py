"""A rollup that is killed while it publishes: readers keep the former version, and running it again finishes it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from localaws import settings
from localaws.testing import LocalAws
from tapeline.aws.clients import connect
from tapeline.deploy import stack
from tapeline.lake.rollup import CURATED
from tests.sql.conftest import hand_made_quotes
from tests.sql.lakes import AthenaLake, Dated, DuckLake, Lake, Row, curated, publish, render, roll_up, stage

DAY = "2025-11-26"
ATTEMPTS = 20
"""A publication may commit before it is caught; it is then started again, for it may run any number of times."""

Tables = dict[str, list[Row]]


@pytest.fixture(scope="module")
def own_lake(local_aws: LocalAws) -> AthenaLake:
    aws = connect("local")
    return AthenaLake(stack.deploy(aws, {}, lambda progress: None))


def quotes() -> list[Dated]:
    return [(day, quote) for day, quote in hand_made_quotes() if day == DAY]


def everything(lake: Lake) -> Tables:
    return {table: curated(lake, table, DAY) for table in CURATED}


def workers(aws: LocalAws) -> list[psutil.Process]:
    children = psutil.Process(aws.process.pid).children(recursive=True)
    return [child for child in children if "localaws.athena.worker" in child.cmdline()]


def publish_until_its_files_are_written(lake: AthenaLake, aws: LocalAws, table: str) -> list[psutil.Process]:
    """Start a publication and hold its process still between its new data files and the commit; return the process."""
    [written] = (aws.folder / "aws" / "s3" / settings.ACCOUNT_ID).glob(f"*/curated/{table}/data")

    def files() -> set[Path]:
        return set(written.rglob("*.parquet"))

    for _ in range(ATTEMPTS):
        version, before = lake.version(table), files()
        number = lake.start(render(f"{table}/replace_session", session=DAY))
        while files() == before and not lake.is_over(number):
            pass
        held = workers(aws)
        for worker in held:
            worker.send_signal(signal.SIGSTOP)
        if lake.version(table) == version and not lake.is_over(number):
            return held
        for worker in held:
            worker.send_signal(signal.SIGCONT)
        while not lake.is_over(number):
            os.sched_yield()
    raise AssertionError(f"{table} was published {ATTEMPTS} times and never caught before its commit")


@pytest.mark.parametrize(("victim", "table"), [("worker", "minute_bars"), ("local AWS", "daily_summary")])
def test_rollup_killed_while_it_publishes_leaves_the_former_version_and_a_rerun_finishes_it(
    own_lake: AthenaLake, local_aws: LocalAws, victim: str, table: str
) -> None:
    all_quotes = quotes()
    former, finished = DuckLake(), DuckLake()
    former.add(all_quotes[::2])
    finished.add(all_quotes)
    for duck in (former, finished):
        roll_up(duck, DAY)
    own_lake.clear(DAY)
    own_lake.add(all_quotes[::2])
    roll_up(own_lake, DAY)
    assert everything(own_lake) == everything(former)

    own_lake.add(all_quotes[1::2])
    stage(own_lake, DAY)
    if victim == "local AWS":  # whose catalog is on disk from here on
        assert local_aws.stop() == 0
        local_aws.start()
    held = publish_until_its_files_are_written(own_lake, local_aws, table)
    if victim == "local AWS":
        local_aws.kill()
    for worker in held:
        worker.kill()
    psutil.wait_procs(held, timeout=60)
    if victim == "local AWS":
        local_aws.start()

    assert everything(own_lake) == everything(former)
    stage(own_lake, DAY)
    publish(own_lake, DAY)
    assert everything(own_lake) == everything(finished)
