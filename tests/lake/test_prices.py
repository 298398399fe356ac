from __future__ import annotations

from decimal import Decimal

from tapeline.lake.prices import Usage, cost, usage_of


def test_a_busy_day_costs_what_the_price_lists_say() -> None:
    lines = cost(
        Usage(
            stream_hours=24,
            records=2**20,  # a GiB once each is rounded up to a KiB
            item_writes=2_000_000,
            item_reads=1_000_000,
            objects=10_000,
            megabytes_scanned=400_000,
            mails=50,
        )
    )
    assert [(line.name.split(",")[0], line.usd) for line in lines] == [
        ("Kinesis", Decimal("0.9600")),  # 24 hours at $0.04
        ("Kinesis", Decimal("0.1200")),  # $0.08 in, $0.04 out
        ("DynamoDB", Decimal("1.2500")),
        ("DynamoDB", Decimal("0.1250")),
        ("S3", Decimal("0.0500")),
        ("Athena", Decimal("2.0000")),
        ("SNS", Decimal("0.0010")),
    ]


def test_a_batch_writes_the_state_of_each_symbol_at_most_and_of_no_more_than_its_records() -> None:
    counted = {"days": 1, "quotes": 900, "megabytes_scanned": 0, "mails": 0}
    many = usage_of(records=1000, symbols=5, objects=10, **counted)
    assert (many.item_writes, many.item_reads, many.stream_hours) == (900 + 50, 50, 24)
    few = usage_of(records=30, symbols=50, objects=10, **counted)
    assert few.item_writes == 900 + 30
