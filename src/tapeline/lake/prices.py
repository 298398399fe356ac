"""What AWS takes for counted things, at list prices of us-east-1 without free tiers or discounts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

RECORD_KIBIBYTES = 1
"""Kinesis bills each record rounded up to 1 KiB; a quote is some 300 bytes."""

STREAM_HOUR = Decimal("0.04")
STREAM_GIGABYTE_IN = Decimal("0.08")
STREAM_GIGABYTE_OUT = Decimal("0.04")
"""Kinesis on demand (aws.amazon.com/kinesis/data-streams/pricing): each hour of a stream, each GB in and out."""

MILLION_ITEM_WRITES = Decimal("0.625")
MILLION_ITEM_READS = Decimal("0.125")
"""DynamoDB on demand (aws.amazon.com/dynamodb/pricing/on-demand): units of 1 kB written and of 4 kB read consistently;
an item of ours is below 1 kB."""

MILLION_OBJECT_PUTS = Decimal(5)
"""S3 Standard (aws.amazon.com/s3/pricing): PUT, COPY, POST and LIST requests."""

TERABYTE_SCANNED = Decimal(5)
"""Athena (aws.amazon.com/athena/pricing); what it bills is in `tapeline.lake.athena`."""

THOUSAND_MAILS = Decimal("0.02")
"""SNS (aws.amazon.com/sns/pricing): e-mail notifications, $2.00 for 100,000."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used, each figure counted.

    Attributes
    ----------
    stream_hours : int
        Hours the stream was there, quotes or not.
    records : int
        Records on the stream.
    item_writes, item_reads : int
        Items written to and read from DynamoDB: quotes, and at most a state per symbol and batch.
    objects : int
        Objects put into S3.
    megabytes_scanned : int
        What Athena bills for.
    mails : int
        Messages that SNS delivered.
    """

    stream_hours: int
    records: int
    item_writes: int
    item_reads: int
    objects: int
    megabytes_scanned: int
    mails: int


@dataclass(frozen=True, slots=True)
class CostLine:
    """One position: what, how much of it, and its price in USD."""

    name: str
    quantity: int
    unit: str
    usd: Decimal


def cost(usage: Usage) -> tuple[CostLine, ...]:
    """Return the positions, each rounded to a hundredth of a cent, so that their sum is the sum that is shown.

    Not counted: the Lambdas' running time, the crawler's, Airflow's machine, storage, logs and network.
    """
    gigabytes = Decimal(usage.records * RECORD_KIBIBYTES) / 2**20
    traffic = gigabytes * (STREAM_GIGABYTE_IN + STREAM_GIGABYTE_OUT)
    million = Decimal(10**6)
    return (
        _line("Kinesis, the stream", usage.stream_hours, "hours", STREAM_HOUR * usage.stream_hours),
        _line("Kinesis, records in and out", usage.records, "records", traffic),
        _line("DynamoDB, writes", usage.item_writes, "items", MILLION_ITEM_WRITES * usage.item_writes / million),
        _line("DynamoDB, reads", usage.item_reads, "items", MILLION_ITEM_READS * usage.item_reads / million),
        _line("S3, objects put", usage.objects, "objects", MILLION_OBJECT_PUTS * usage.objects / million),
        _line("Athena, scanned", usage.megabytes_scanned, "MB", TERABYTE_SCANNED * usage.megabytes_scanned / million),
        _line("SNS, mail", usage.mails, "messages", THOUSAND_MAILS * usage.mails / 1000),
    )


def usage_of(
    *, days: int, records: int, quotes: int, symbols: int, objects: int, megabytes_scanned: int, mails: int
) -> Usage:
    """Work out the usage from what the lake and the work group count.

    Each object of the raw zone stands for a batch; a batch reads and writes the state of each of its symbols, of which
    there are no more than the symbols, nor than its records.
    """
    states = min(objects * symbols, records)
    return Usage(24 * days, records, quotes + states, states, objects, megabytes_scanned, mails)


def _line(name: str, quantity: int, unit: str, usd: Decimal) -> CostLine:
    return CostLine(name, quantity, unit, usd.quantize(Decimal("0.0001")))
