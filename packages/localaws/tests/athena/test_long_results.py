"""A result of several pages is read from where Athena stored it, and is the same as page by page."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from athena.conftest import Runner
from tapeline.aws.clients import Clients
from tapeline.lake import athena
from tapeline.lake.athena import Finished

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
def finished(aws: Clients, runner: Runner) -> Finished:
    output = {"ResultConfiguration": {"OutputLocation": "s3://lake/long/"}}
    aws.client("athena").create_work_group(Name="long-results", Configuration=output)
    return athena.run(aws.client("athena"), STATEMENT, database="lake", work_group="long-results")


def test_a_long_result_is_the_same_from_its_object_and_by_pages(aws: Clients, finished: Finished) -> None:
    client = aws.client("athena")
    by_pages, stored = athena.results(client, finished), athena.results(client, finished, aws.client("s3"))
    assert stored[0] == by_pages[0]
    assert list(by_pages[1]) == EXPECTED
    assert list(stored[1]) == EXPECTED


def test_a_long_result_costs_one_page_and_one_object(aws: Clients, finished: Finished) -> None:
    client, s3 = aws.client("athena"), aws.client("s3")
    calls = []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    for one in (client, s3):
        one.meta.events.register("before-call", note, unique_id="noted")
    _, rows = athena.results(client, finished, s3)
    assert len(list(rows)) == len(EXPECTED)
    for one in (client, s3):
        one.meta.events.unregister("before-call", unique_id="noted")
    assert calls == ["GetQueryResults", "GetObject"]
