"""A quote: what one price looks like on the stream and in the raw zone, and how it is read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

MAX_QUOTE_BYTES = 8 * 1024
"""A quote is some 300 bytes; DynamoDB would take 400 kB, and no honest quote comes near."""

FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far a quote's time may lie ahead of its arrival on the stream: clocks differ, markets do not trade tomorrow."""

CLOCK_TOLERANCE = timedelta(days=1)
"""How far `ingested_at` may lie ahead: a producer's clock may be wrong, but a rollup would wait for a quote of 9999."""

FIRST_YEAR = 1970
"""Before it a date in New York, and a partition, may not exist."""

MAX_SIGNIFICANT_DIGITS = 38
"""DynamoDB keeps 38 significant digits (Developer Guide, "Supported data types and naming rules")."""

MAX_ABSOLUTE_USD = Decimal(10) ** 12
MAX_SHARES = 2**63 - 1
MAX_REVISION = 10**9
MAX_DOUBT_CHARACTERS = 300

FIGURES = ("open", "high", "low", "price", "previous_close", "volume")
"""What a quote says of the market, each judged by itself."""

CORRECTION = "correction"
"""The source of a quote that a person put right; its figures are taken as they are."""
AFTERWARDS = ("replay", CORRECTION)
"""Sources whose quotes come long after their time, a file and a person's correction: no sign of life, and no delay."""

SYMBOL_PATTERN = r"[A-Z0-9^][A-Z0-9.^=-]{0,19}"
"""A ticker as Yahoo spells it, whole."""

_SYMBOL = re.compile(SYMBOL_PATTERN)
_SOURCE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", re.ASCII)
PRICES = FIGURES[:-1]
"""The figures in USD."""
_DOUBTED = re.compile(rf"(?:^|; )({'|'.join(FIGURES)}):")

_ZERO = Decimal(0)

_WRAPPINGS = {
    b"\x1f\x8b": ", found gzip; send it plain",
    b"\xf3\x89\x9a\xc2": ", found an aggregate of the Kinesis Producer Library; set AggregationEnabled to false",
    b"\xef\xbb\xbf": ", found a byte order mark in front; send it without",
}


class QuoteRejectedError(ValueError):
    """A record that is not a quote.

    Attributes
    ----------
    reason : str
        One word of a small, stable set (``not_json``, ``missing_field``, ``negative_price``, …) to count and filter by.
    detail : str
        What was expected and what was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Quote:
    """One price of one symbol at one time.

    Attributes
    ----------
    symbol : str
        Ticker as Yahoo spells it, such as ``BRK-B`` or ``^GSPC``.
    timestamp : str
        Time of the quote itself, UTC, ``2026-03-12T14:30:00Z`` or with milliseconds; never the time of the fetch.
    open, high, low, price, previous_close : Decimal
        USD; open, high and low are the day's so far.
    volume : int
        Shares traded so far today.
    source : str
        Such as ``yahoo``, ``simulated`` or ``replay``.
    ingested_at : str
        When the producer got it, UTC, in the same form as ``timestamp``.
    revision : int
        0 for what the source said first. Of one symbol and time the highest stands, of equal ones the first to arrive.
    doubt : str
        What the source itself finds odd: parts ``figure: words`` with ``; `` between, such as ``previous_close: the
        daily bar of 2026-08-28 is missing``; empty for nothing.
    """

    symbol: str
    timestamp: str
    open: Decimal
    high: Decimal
    low: Decimal
    price: Decimal
    previous_close: Decimal
    volume: int
    source: str
    ingested_at: str
    revision: int = 0
    doubt: str = ""

    @property
    def time(self) -> datetime:
        """The quote's own time as an aware datetime."""
        return read_timestamp(self.timestamp)

    @property
    def doubted_figures(self) -> tuple[str, ...]:
        """The figures of which the source itself says that they may be wrong."""
        return tuple(_DOUBTED.findall(self.doubt)) if self.doubt else ()

    def to_json(self) -> str:
        """Return the record as it goes on the stream: one line, the fields in order, numbers exactly as they are.

        Optional fields are written only where they say something, so that a deployment that does not know them is sent
        none in vain.
        """
        numbers = ", ".join(f'"{name}": {plain(getattr(self, name))}' for name in PRICES)
        revision = f', "revision": {self.revision}' if self.revision else ""
        doubt = f', "doubt": {json.dumps(self.doubt)}' if self.doubt else ""
        return (
            f'{{"symbol": "{self.symbol}", "timestamp": "{self.timestamp}", {numbers}, "volume": {self.volume}, '
            f'"source": "{self.source}", "ingested_at": "{self.ingested_at}"{revision}{doubt}}}'
        )


OPTIONAL_FIELDS = ("revision", "doubt")
"""Fields that older records lack; sent only to a deployment whose stack names them in its output `QuoteFields`."""

FIELD_NAMES = tuple(field.name for field in fields(Quote) if field.name not in OPTIONAL_FIELDS)
"""Fields that every record has."""

_KNOWN_FIELDS = frozenset((*FIELD_NAMES, *OPTIONAL_FIELDS))


@lru_cache(maxsize=4096)  # each step of a quote's way needs its time
def read_timestamp(text: str) -> datetime:
    """Read a contract timestamp, ``YYYY-MM-DDTHH:MM:SS[.mmm]Z``.

    Raises
    ------
    ValueError
        If the text has another form or names no real moment.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(f"expected UTC like 2026-03-12T14:30:00Z, found {text[:40]!r}")
    return datetime.fromisoformat(text)


def write_timestamp(moment: datetime, *, milliseconds: bool = False) -> str:
    """Write an aware datetime as a contract timestamp, cut (not rounded) to seconds or milliseconds."""
    timespec = "milliseconds" if milliseconds else "seconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def timestamp_of(seconds: float) -> str:
    """Return the contract timestamp of a moment in seconds since 1970, cut to the second."""
    return write_timestamp(datetime.fromtimestamp(seconds, UTC))


def plain(value: Decimal) -> str:
    """Return a number with all its digits and no exponent; mostly what `str` gives, which is quicker than a format.

    >>> plain(Decimal("1E+3")), plain(Decimal("100.250"))
    ('1000', '100.250')
    """
    text = str(value)
    return text if "E" not in text else f"{value:f}"


def parse_quote(payload: bytes, arrived_at: datetime) -> Quote:
    """Read one record of the stream.

    Parameters
    ----------
    payload : bytes
        The record's data as received.
    arrived_at : datetime
        When Kinesis took it, aware: the future is judged against it and no clock, so that a retry judges alike.

    Raises
    ------
    QuoteRejectedError
        With the reason, if the record is anything but a quote.
    """
    document = _read_object(payload)
    missing = [name for name in FIELD_NAMES if name not in document]
    if missing:
        raise QuoteRejectedError("missing_field", f"expected {', '.join(FIELD_NAMES)}; missing {', '.join(missing)}")
    unknown = [name for name in document if name not in _KNOWN_FIELDS]
    if unknown:
        names = ", ".join((*FIELD_NAMES, *OPTIONAL_FIELDS))
        raise QuoteRejectedError("unknown_field", f"expected only {names}; found also {_show(unknown)}")

    symbol = _read_text(document, "symbol", _SYMBOL, "bad_symbol", "a ticker such as AAPL or BRK-B")
    timestamp = _read_moment(document, "timestamp")
    source = _read_text(document, "source", _SOURCE, "bad_source", "a lower-case word such as yahoo")
    ingested_at = _read_moment(document, "ingested_at")
    prices = {name: _read_usd(document, name) for name in PRICES}
    volume = _read_shares(document)

    _refuse_future("timestamp", timestamp, arrived_at, FUTURE_TOLERANCE)
    _refuse_future("ingested_at", ingested_at, arrived_at, CLOCK_TOLERANCE)
    return Quote(
        symbol=symbol,
        timestamp=timestamp,
        **prices,
        volume=volume,
        source=source,
        ingested_at=ingested_at,
        revision=_read_whole(document, "revision", MAX_REVISION) if "revision" in document else 0,
        doubt=_read_doubt(document["doubt"]) if "doubt" in document else "",
    )


def _refuse_future(name: str, timestamp: str, arrived_at: datetime, tolerance: timedelta) -> None:
    if read_timestamp(timestamp) - arrived_at > tolerance:
        detail = f"{name} {timestamp} lies over {tolerance} (h:mm:ss) after its arrival at {arrived_at.isoformat()}"
        raise QuoteRejectedError("future_timestamp", f"{detail}; look at the clock of the source")


def _read_object(payload: bytes) -> dict[str, object]:
    if len(payload) > MAX_QUOTE_BYTES:
        raise QuoteRejectedError("too_long", f"expected at most {MAX_QUOTE_BYTES} bytes, found {len(payload)}")
    try:
        document = json.loads(
            payload.decode("utf-8"),
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_repeats,
        )
    except QuoteRejectedError:
        raise
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, InvalidOperation) as error:
        wrapped = next((words for start, words in _WRAPPINGS.items() if payload.startswith(start)), "")
        raise QuoteRejectedError("not_json", f"expected one JSON object in UTF-8{wrapped}: {error}") from error
    if not isinstance(document, dict):
        raise QuoteRejectedError("not_an_object", f"expected a JSON object, found {type(document).__name__}")
    return document


def _refuse_constant(name: str) -> Decimal:
    raise QuoteRejectedError("not_finite", f"expected a finite number, found {name}")


def _refuse_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise QuoteRejectedError("repeated_field", "expected each field once, found one twice")
    return document


def _read_text(document: dict[str, object], name: str, pattern: re.Pattern[str], reason: str, expected: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise QuoteRejectedError("wrong_type", f"{name} must be a string, found {_show(value)}")
    if not pattern.fullmatch(value):
        raise QuoteRejectedError(reason, f"{name} must be {expected}, found {_show(value)}")
    return value


def _read_moment(document: dict[str, object], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise QuoteRejectedError("wrong_type", f"{name} must be a string, found {_show(value)}")
    try:
        moment = read_timestamp(value)
    except ValueError as error:
        raise QuoteRejectedError("bad_timestamp", f"{name}: {error}") from error
    if moment.year < FIRST_YEAR:
        raise QuoteRejectedError("bad_timestamp", f"{name} must not lie before {FIRST_YEAR}, found {value}")
    return value


def _read_number(document: dict[str, object], name: str) -> Decimal:
    value = document[name]
    if not isinstance(value, Decimal):
        raise QuoteRejectedError("wrong_type", f"{name} must be a number, found {_show(value)}")
    if len(value.as_tuple().digits) > MAX_SIGNIFICANT_DIGITS:
        raise QuoteRejectedError("too_precise", f"{name} must have at most 38 digits, found {_show(value)}")
    return value


def _read_usd(document: dict[str, object], name: str) -> Decimal:
    found = document[name]
    if isinstance(found, Decimal):  # a quicker way to the same answer for what nearly all prices are
        _, digits, exponent = found.as_tuple()
        is_plain = isinstance(exponent, int) and exponent >= -MAX_SIGNIFICANT_DIGITS
        if is_plain and len(digits) <= MAX_SIGNIFICANT_DIGITS and 0 < found <= MAX_ABSOLUTE_USD:
            return found
    value = _read_number(document, name)
    if value < 0:
        detail = f"negative prices are not supported: {name} must not be below 0, found {_show(value)}"
        raise QuoteRejectedError("negative_price", detail)
    if not value:
        return _ZERO  # without the sign or exponent that JSON may give it
    exponent = value.as_tuple().exponent
    if value > MAX_ABSOLUTE_USD or not isinstance(exponent, int) or exponent < -MAX_SIGNIFICANT_DIGITS:
        raise QuoteRejectedError("out_of_range", f"{name} must lie between 0 and 10^12 USD, found {_show(value)}")
    return value


def _read_shares(document: dict[str, object]) -> int:
    if isinstance(document["volume"], Decimal) and document["volume"] < 0:
        raise QuoteRejectedError("negative_volume", f"volume must not be below 0, found {_show(document['volume'])}")
    return _read_whole(document, "volume", MAX_SHARES)


def _read_whole(document: dict[str, object], name: str, most: int) -> int:
    value = _read_number(document, name)
    if not 0 <= value <= most:
        raise QuoteRejectedError("out_of_range", f"{name} must lie between 0 and {most}, found {_show(value)}")
    if value != value.to_integral_value():
        raise QuoteRejectedError("wrong_type", f"{name} must be a whole number, found {_show(value)}")
    return int(value)


def _read_doubt(value: object) -> str:
    if not isinstance(value, str):
        raise QuoteRejectedError("wrong_type", f"doubt must be a string, found {_show(value)}")
    if len(value) > MAX_DOUBT_CHARACTERS or not value.isprintable():
        expected = f"doubt must be at most {MAX_DOUBT_CHARACTERS} printable characters"
        raise QuoteRejectedError("bad_doubt", f"{expected}, found {len(value)}: {_show(value)}")
    return value


def _show(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
