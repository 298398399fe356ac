"""A million records of every kind of nonsense through the laptop: none may stop its shard.

BENCH_FUZZ_RECORDS (1,000,000) are drawn by BENCH_FUZZ_SEED (1): raw bytes, wrapped and mutated quotes, figures and
times at the edge of what JSON can carry, and honest quotes between them. They go through a laptop of their own with the
deployed zip, and `tapeline reconcile` has the last word. Exits 1 if a batch was retried, one was given up, our own code
failed on a record, or the places disagree.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.progress import track

from localaws.testing import free_port
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import find_deployment
from tapeline.operations import readings

RECORDS = 1_000_000
SEED = 1
SYMBOLS = ("AAPL", "MSFT", "BRK-B", "^GSPC", "EURUSD=X", "0700.HK", "A", "Z" * 20, *(f"FUZZ{n}" for n in range(42)))
COMMAND = [sys.executable, "-m", "tapeline.cli.main"]
IDLE_SECONDS = "3600"
CALL_RECORDS, CALL_BYTES = 500, 4_000_000
QUIET_SECONDS = 300.0
"""How long nothing may be delivered before the run is given up."""

FIELDS = (
    "symbol",
    "timestamp",
    "open",
    "high",
    "low",
    "price",
    "previous_close",
    "volume",
    "source",
    "ingested_at",
    "revision",
    "doubt",
)
FIGURES = FIELDS[2:8]

NUMBERS = (
    *("0", "-0", "0.0", "-0.0", "0e0", "0e400", "0e-400", "-0e999999999", "0E+999999999999999999", "1", "-1", "2", "3"),
    *("1e-1", "1e-7", "1e-13", "1e-28", "1e-30", "1e-37", "1e-38", "1e-39", "1e-130", "1e-999", "1e-999999999"),
    *("1e12", "1000000000000", "1000000000000.0", "1000000000001", "999999999999.99", "1e13", "1e28", "1e125", "1e126"),
    *("1e308", "1e309", "1e999", "1e999999", "1e999999999", "1e999999999999999999", "1e9999999999999999999", "-1e999"),
    *("9" * 38, "9" * 39, "9" * 400, "0." + "9" * 38, "0." + "9" * 39, "0." + "0" * 37 + "1", "1." + "0" * 40 + "1"),
    *("12345678901234567890123456789012345678", "1.2345678901234567890123456789012345678", "100.00000000000000000000"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "2147483648", "9007199254740993"),
    *(
        "1e18",
        "9e18",
        "9.223372036854775807e18",
        "1.5",
        "0.5",
        "1e-5",
        "24970168.0",
        "4.9E-324",
        "2.2250738585072014e-308",
    ),
    *("NaN", "Infinity", "-Infinity", "nan", "+1", "01", "1.", ".5", "1e", "0x10", "1_000", "٣", "1٣", "１００"),
    *("true", "false", "null", '"100"', '""', "[]", "{}", "[1]", '{"a": 1}', '"NaN"'),
)
TIMES = (
    *("0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z"),
    *("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1970-01-01T04:59:59.999Z", "1899-12-31T00:00:00Z"),
    *("1582-10-10T00:00:00Z", "1883-11-18T17:00:00Z", "2038-01-19T03:14:08Z", "2106-02-07T06:28:16Z"),
    *("2016-12-31T23:59:60Z", "2016-12-31T23:59:60.500Z", "2026-02-29T00:00:00Z", "2024-02-29T12:00:00Z"),
    *("2026-03-08T07:00:00Z", "2025-11-02T05:30:00Z", "2025-11-02T06:30:00.001Z", "2026-03-12T24:00:00Z"),
    *("2026-03-12T14:30:00.1Z", "2026-03-12T14:30:00.123456Z", "2026-03-12T14:30:00.000Z", "2026-03-12T14:30:00,000Z"),
    *("2026-03-12T14:30:00+00:00", "2026-03-12T10:30:00-04:00", "2026-03-12 14:30:00Z", "2026-03-12T14:30Z"),
    *("2026-3-12T14:30:00Z", "+2026-03-12T14:30:00Z", "-2026-03-12T14:30:00Z", "12026-03-12T14:30:00Z", ""),
    *("２０２６-03-12T14:30:00Z", "٢٠٢٦-٠٣-١٢T14:30:00Z", "2026-03-12T14:30:00Z\n", "\u202e2026-03-12T14:30:00Z"),
    *(
        "2026-W11-4T14:30:00Z",
        "2026-071T14:30:00Z",
        "1773325800",
        "now",
        "2026-03-12T14:30:00z",
        "2026-13-01T00:00:00Z",
    ),
)
TEXTS = (
    *(
        "",
        " ",
        "A" * 21,
        "A" * 20,
        "aapl",
        "AAPL\n",
        "AAPL ",
        "ＡＡＰＬ",
        "ÅAPL",
        "A\u0301",
        "AAPL\u0000",
        "\x1b[2J\x1b]0;own\x07",
    ),
    *(
        "\u202egpj.exe",
        "\u200b",
        "A\u200dB",
        "\ufeffAAPL",
        "\u2028",
        "\u2029",
        "\x85",
        "\x7f",
        "\x9b31m",
        "\ud800",
        "\udfff",
    ),
    *("<script>alert(1)</script>", "'; DROP TABLE quotes; --", "../../etc/passwd", "%s%n", "${jndi:x}", "{{ 7*7 }}"),
    *(
        "=cmd|' /C calc'!A0",
        "[red]x[/]",
        "symbol#AAPL",
        "followed",
        "watch#feed",
        "..",
        ".",
        "^",
        "-",
        "=",
        "0",
        "^=.-",
    ),
    *("yahoo", "YAHOO", "a" * 32, "a" * 33, "1yahoo", "correction", "simulated", "кириллица", "🚀" * 20, "NULL", "NaN"),
)
DOUBTS = (
    *("previous_close: the daily bar of 2026-08-28 is missing", "price: far", "price:", "nothing in particular", ""),
    *(
        "volume: doubled; high: no price came near",
        "price: a; price: b",
        "low: ;open: x",
        "x" * 300,
        "x" * 301,
        "é" * 300,
    ),
    *("price: \x1b[31mred", "price: line\nbreak", "price: \u202eright to left", "price: \u200bzero", "price: \ud83d"),
    *("price: <b>bold</b>", "Price: x", "price : x", "; price: x", "close: x", "price: 'quoted' \"twice\" \\back"),
)
ODD_KEYS = ("X", "\u0000", "\x1b[2J", "🚀" * 64, "k" * 256, "symbol with blanks", "\u202e", "\\", '"', "\ud7ff")


class Fuzz:
    """Draws records, the same for the same seed.

    Parameters
    ----------
    seed : int
        Of all that is drawn.
    start : datetime
        Time of the first honest quotes, aware; those of one symbol follow each other by a second and more.
    """

    def __init__(self, seed: int, start: datetime) -> None:
        self._random = random.Random(seed)
        self._start = start
        self._steps = dict.fromkeys(SYMBOLS, 0)
        self._sent: list[bytes] = []
        self._kinds: Sequence[tuple[int, Callable[[], bytes]]] = (
            (30, self._honest),
            (24, self._odd_figures),
            (8, self._odd_times),
            (6, self._odd_texts),
            (6, self._optional_fields),
            (8, self._other_shape),
            (8, self._mutated_bytes),
            (3, self._raw_bytes),
            (3, self._wrapped),
            (2, self._nested),
            (4, self._again),
        )

    def records(self, count: int) -> Iterator[tuple[str, bytes]]:
        """Yield partition key and data of so many records."""
        weights, kinds = [weight for weight, _ in self._kinds], [kind for _, kind in self._kinds]
        for _ in range(count):
            (kind,) = self._random.choices(kinds, weights)
            data = kind()
            if self._random.random() < 0.1 and len(self._sent) < 2000:
                self._sent.append(data)
            yield _symbol(data) or self._random.choice(ODD_KEYS), data

    def _quote(self) -> dict[str, str]:
        """Return an honest quote, each field as the JSON text of its value."""
        draw = self._random
        symbol = draw.choice(SYMBOLS)
        self._steps[symbol] += draw.choice((0, 1, 1, 1, 1, 1, 7, 60)) if draw.random() > 0.02 else -30
        at = self._start + timedelta(seconds=self._steps[symbol] / 50)
        text = json.dumps(at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        price = 100 + draw.gauss(0, 1)
        figures = (100, max(101, price), min(99, price), price, 100.5)
        return {
            "symbol": json.dumps(symbol),
            "timestamp": text,
            **{name: f"{value:.2f}" for name, value in zip(FIGURES, figures, strict=False)},
            "volume": str(draw.randrange(10**6)),
            "source": '"yahoo"',
            "ingested_at": text,
        }

    def _honest(self) -> bytes:
        return _object(self._quote().items())

    def _odd_figures(self) -> bytes:
        quote = self._quote()
        for name in self._random.sample(FIGURES, self._random.choice((1, 1, 1, 2, 3, 6))):
            quote[name] = self._number()
        return _object(quote.items())

    def _number(self) -> str:
        draw = self._random
        if draw.random() < 0.5:
            return draw.choice(NUMBERS)
        digits = "".join(
            draw.choice("0123456789") for _ in range(draw.choice((1, 2, 3, 15, 17, 28, 29, 37, 38, 39, 60)))
        )
        whole = digits.lstrip("0") or "0"
        sign = draw.choice(("", "", "", "", "-"))
        match draw.randrange(4):
            case 0:
                return f"{sign}{whole}"
            case 1:
                return f"{sign}0.{digits}"
            case 2:
                return f"{sign}{whole[:1]}.{whole[1:] or '0'}"
            case _:
                return (
                    f"{sign}{whole[:1]}.{whole[1:] or '0'}e{draw.choice(('', '+', '-'))}{int(10 ** draw.uniform(0, 4))}"
                )

    def _odd_times(self) -> bytes:
        quote = self._quote()
        for name in self._random.choice((("timestamp",), ("ingested_at",), ("timestamp", "ingested_at"))):
            if self._random.random() < 0.5:
                quote[name] = json.dumps(self._random.choice(TIMES))
            else:
                year, month = self._random.randrange(1, 10000), self._random.randrange(1, 13)
                quote[name] = f'"{year:04}-{month:02}-{self._random.randrange(1, 32):02}T12:00:00Z"'
        return _object(quote.items())

    def _odd_texts(self) -> bytes:
        quote = self._quote()
        quote[self._random.choice(("symbol", "source", "symbol", "source", "timestamp"))] = json.dumps(
            self._random.choice(TEXTS), ensure_ascii=self._random.random() < 0.5
        )
        return _object(quote.items())

    def _optional_fields(self) -> bytes:
        draw, quote = self._random, self._quote()
        if draw.random() < 0.7:
            quote["doubt"] = json.dumps(draw.choice(DOUBTS), ensure_ascii=draw.random() < 0.5)
        if draw.random() < 0.7:
            quote["revision"] = draw.choice(("0", "1", "2", "3", "1000000000", "1.0", "1e3", "-0", self._number()))
        if draw.random() < 0.1:
            quote["source"] = '"correction"'
        return _object(quote.items())

    def _other_shape(self) -> bytes:
        draw, quote = self._random, self._quote()
        pairs = list(quote.items())
        match draw.randrange(6):
            case 0:
                del pairs[draw.randrange(len(pairs))]
            case 1:
                pairs.insert(draw.randrange(len(pairs)), draw.choice(pairs))
            case 2:
                pairs.append(
                    (
                        draw.choice(
                            ("bid", "suspect", "shard", "sequence", "confirms", "Price", "__proto__", "\x1b[2J", "")
                        ),
                        self._number(),
                    )
                )
            case 3:
                draw.shuffle(pairs)
            case 4:
                at = draw.randrange(len(pairs))
                pairs[at] = (pairs[at][0], self._number())
            case _:
                pairs = [(draw.choice(FIELDS), draw.choice(pairs)[1]) for _ in pairs]
        return _object(pairs)

    def _mutated_bytes(self) -> bytes:
        draw = self._random
        changed = bytearray(self._honest())
        for _ in range(draw.choice((1, 1, 2, 5))):
            at = draw.randrange(len(changed))
            match draw.randrange(4):
                case 0:
                    changed[at] = draw.randrange(256)
                case 1:
                    del changed[at : at + draw.choice((1, 1, 3, 40))]
                case 2:
                    changed[at:at] = draw.choice(
                        (b'"', b"{", b",", b"0", b"9" * 30, b"\x00", b"\xff", b"e", b"-", b"\\u0000")
                    )
                case _:
                    changed = changed[: at + 1]
            if not changed:
                break
        return bytes(changed)

    def _raw_bytes(self) -> bytes:
        size = (
            self._random.choice((0, 1, 2, 10, 100, 1000, 8191, 8192, 8193, 20_000))
            if self._random.random() < 0.2
            else 30
        )
        return self._random.randbytes(size)

    def _wrapped(self) -> bytes:
        data = self._honest()
        text = data.decode()
        wrapped = (
            gzip.compress(data, mtime=0),
            base64.b64encode(data),
            b"\xef\xbb\xbf" + data,
            data + b"\n",
            b" \t\r\n" + data + b" ",
            data + b"\n" + data,
            data + b"\x00",
            b"[" + data + b"]",
            json.dumps(text).encode(),
            text.encode("utf-16"),
            text.encode("utf-32"),
            text.replace('"', "'").encode(),
            b"data: " + data,
            _kpl(data),
            data + b" " * 8000,
            b'{"quote": ' + data + b"}",
        )
        return self._random.choice(wrapped)

    def _nested(self) -> bytes:
        depth = self._random.choice((10, 100, 990, 1000, 1010, 3000, 4000))
        opened, closed = self._random.choice((("[", "]"), ('{"a":', "}")))
        if opened != "[":
            depth = min(depth, 1300)
        deep = opened * depth + "1" + closed * depth
        if self._random.random() < 0.5:
            return deep.encode()
        quote = self._quote()
        quote[self._random.choice(FIELDS)] = deep
        return _object(quote.items())

    def _again(self) -> bytes:
        return self._random.choice(self._sent) if self._sent else self._honest()


def _symbol(data: bytes) -> str:
    """Return the partition key of a record, as a producer must choose it: the symbol, if there is one."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    symbol = document.get("symbol") if isinstance(document, dict) else None
    return symbol if isinstance(symbol, str) and len(symbol) <= 256 and not _is_broken(symbol) else ""


def _is_broken(text: str) -> bool:
    return any("\ud800" <= one <= "\udfff" for one in text)


def _object(pairs: Any) -> bytes:
    text = "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in pairs) + "}"
    return text.encode("utf-8", "surrogatepass")


def _kpl(data: bytes) -> bytes:
    """Return what the Kinesis Producer Library makes of a record: magic number, a protobuf message, its MD5."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    message = field(1, b"AAPL") + field(3, b"\x08\x00" + field(3, data))
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message, usedforsecurity=False).digest()


def main() -> None:
    """Put the records, wait until they are delivered, and say what became of them."""
    console = Console(highlight=False, soft_wrap=True)
    records = int(os.environ.get("BENCH_FUZZ_RECORDS", RECORDS))
    seed = int(os.environ.get("BENCH_FUZZ_SEED", SEED))
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(TAPELINE_HOME=folder, TAPELINE_PORT=str(free_port()))
        _tapeline("up", "--detach", "--no-airflow", "--every", IDLE_SECONDS)
        try:
            held = _run(records, seed, console)
        finally:
            _tapeline("down")
    if not held:
        sys.exit(1)


def _run(records: int, seed: int, console: Console) -> bool:
    aws = connect("local")
    deployment = find_deployment(aws)
    outputs = deployment.outputs
    began = datetime.now(UTC)
    started = time.monotonic()
    fuzz = Fuzz(seed, began - timedelta(days=2))
    sizes = _put(aws, outputs.stream_name, track(fuzz.records(records), "Putting", records, console=console))
    _await_delivery(aws, began, records)
    seconds = time.monotonic() - started
    metrics = _sums(aws, began)
    age = readings.read_readings(deployment, parts=[], now=datetime.now(UTC)).iterator_age_seconds[
        outputs.stream_processor_name
    ]
    reconciled = subprocess.run([*COMMAND, "reconcile", "--json"], capture_output=True, text=True, check=False)
    if not reconciled.stdout:
        console.print(f"reconcile could not count: {reconciled.stderr}")
        return False
    found = json.loads(reconciled.stdout)
    counts = found["counts"]

    console.print(f"{records:,} records of seed {seed}, {sizes / 1e6:,.0f} MB: {records / seconds:,.0f} records/s")
    console.print(
        f"stored {counts['stored_quotes']:,} quotes; of all, {metrics['QuotesSuspect']:,.0f} have a suspect figure, "
        f"{metrics['QuotesLate']:,.0f} are late, {metrics['QuotesRepeated']:,.0f} repeat one"
    )
    console.print(f"rejected {sum(counts['rejected'].values()):,}:")
    for reason, count in sorted(counts["rejected"].items(), key=lambda pair: -pair[1]):
        console.print(f"  {reason:<20} {count:>10,}")
    console.print(
        f"batches retried {metrics['BatchesRetried']:,.0f}, internal errors {metrics['InternalErrors']:,.0f}, "
        f"dead letters {found['dead_letters']}, iterator age at the end {age or 0:.1f} s"
    )
    console.print(f"reconcile exits {reconciled.returncode}")
    for difference in found["differences"]:
        console.print(f"  {difference['name']}: {difference['count']:,}, such as {difference['examples'][:3]}")
    return not (
        metrics["BatchesRetried"] or metrics["InternalErrors"] or found["dead_letters"] or reconciled.returncode
    )


def _put(aws: Clients, stream: str, records: Iterable[tuple[str, bytes]]) -> int:
    """Put records on the stream, in full calls; return how many bytes they have."""
    kinesis = aws.client("kinesis")
    sent, size = 0, 0
    entries: list[dict[str, Any]] = []
    for key, data in records:
        if len(entries) == CALL_RECORDS or size + len(data) > CALL_BYTES:
            _put_all(kinesis, stream, entries)
            size, entries = 0, []
        entries.append({"PartitionKey": key, "Data": data})
        size += len(data)
        sent += len(data)
    _put_all(kinesis, stream, entries)
    return sent


def _put_all(kinesis: Any, stream: str, entries: list[dict[str, Any]]) -> None:
    while entries:
        answer = kinesis.put_records(StreamName=stream, Records=entries)["Records"]
        entries = [entry for entry, result in zip(entries, answer, strict=True) if "ErrorCode" in result]


def _await_delivery(aws: Clients, began: datetime, records: int) -> None:
    """Wait until so many records were delivered, or none for long."""
    delivered, moved_at = 0.0, time.monotonic()
    while delivered < records:
        time.sleep(2)
        if (now := _sums(aws, began)["QuotesIn"]) > delivered:
            delivered, moved_at = now, time.monotonic()
        elif time.monotonic() > moved_at + QUIET_SECONDS:
            return


def _sums(aws: Clients, began: datetime) -> dict[str, float]:
    """Return the processor's metrics since the beginning."""
    names = ("QuotesIn", "QuotesLate", "QuotesRepeated", "QuotesSuspect", "BatchesRetried", "InternalErrors")
    queries: Any = [
        {
            "Id": name.lower(),
            "MetricStat": {
                "Metric": {
                    "Namespace": readings.NAMESPACE,
                    "MetricName": name,
                    "Dimensions": [{"Name": "service", "Value": "stream-processor"}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for name in names
    ]
    answer = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries,
        StartTime=began - timedelta(minutes=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
    )
    found = {result["Id"]: sum(result["Values"]) for result in answer["MetricDataResults"]}
    return {name: found.get(name.lower(), 0.0) for name in names}


def _tapeline(*arguments: str) -> None:
    subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)


if __name__ == "__main__":
    main()
