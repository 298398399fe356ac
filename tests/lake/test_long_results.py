"""A result of several pages is read from where Athena stored it, and is the same as page by page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tapeline.aws.clients import Clients
from tapeline.aws.deployment import Deployment, StackOutputs
from tapeline.lake import athena
from tapeline.lake.athena import Execution

STATEMENT = r"""
SELECT
    n,
    CASE n % 4 WHEN 0 THEN 'two' || chr(10) || 'lines' WHEN 1 THEN 'a "word", said' WHEN 2 THEN '' END AS told,
    IF(n % 3 > 0, n / 8e0) AS eighth,
    DATE '2026-03-12' AS day,
    CAST(n AS decimal(9, 2)) AS dollars,
    n % 2 = 0 AS is_even,
    'Zürich ' || chr(13) AS place
FROM UNNEST(SEQUENCE(1, 2500)) AS numbers (n)
ORDER BY n
"""
TOLD = ("two\nlines", 'a "word", said', "", None)
EXPECTED = [
    (
        n,
        TOLD[n % 4],
        n / 8 if n % 3 else None,
        date(2026, 3, 12),
        Decimal(n),
        n % 2 == 0,
        "Zürich \r",
    )
    for n in range(1, 2501)
]


@pytest.fixture(scope="module")
def deployment(aws: Clients) -> Deployment:
    aws.client("s3").create_bucket(Bucket="lake")
    output: Any = {"ResultConfiguration": {"OutputLocation": "s3://lake/long/"}}
    aws.client("athena").create_work_group(Name="long-results", Configuration=output)
    names = dict.fromkeys(StackOutputs.__slots__, "") | {"database_name": "default", "work_group_name": "long-results"}
    return Deployment(aws, StackOutputs(**names))


@pytest.fixture(scope="module")
def finished(deployment: Deployment) -> Execution:
    return athena.run(deployment, STATEMENT)


def test_a_long_result_is_the_same_from_its_object_and_by_pages(deployment: Deployment, finished: Execution) -> None:
    by_pages, stored = athena.results(deployment, replace(finished, output="")), athena.results(deployment, finished)
    assert stored[0] == by_pages[0]
    assert list(by_pages[1]) == EXPECTED
    assert list(stored[1]) == EXPECTED


def test_a_long_result_costs_one_page_and_one_object(deployment: Deployment, finished: Execution) -> None:
    client, s3 = deployment.client("athena"), deployment.client("s3")
    calls = []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    for one in (client, s3):
        one.meta.events.register("before-call", note, unique_id="noted")
    _, rows = athena.results(deployment, finished)
    assert len(list(rows)) == len(EXPECTED)
    for one in (client, s3):
        one.meta.events.unregister("before-call", unique_id="noted")
    assert calls == ["GetQueryResults", "GetObject"]
