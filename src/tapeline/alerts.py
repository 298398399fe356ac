"""Alerts to people: which a stored quote carries, and how each reads in a mail client."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tapeline.partitions import NEW_YORK
from tapeline.quotes import Quote

MAX_SUBJECT_CHARACTERS = 99
"""SNS refuses subjects of 100 characters and more, or beyond ASCII (API Reference, Publish)."""

_SOURCE_NOTES = {
    "simulated": "This quote comes from Tapeline's simulated market. It is not a real price.",
    "replay": "This quote was replayed from a file. It is not a current price.",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    Attributes
    ----------
    kind : str
        `trend_up`, `trend_down` or the name of an anomaly rule.
    quote : Quote
        The quote that raised it.
    change_percent : Decimal
        Against the previous close, two decimals.
    moving_average_5, moving_average_20 : Decimal
        Means of the last prices, USD.
    """

    kind: str
    quote: Quote
    change_percent: Decimal
    moving_average_5: Decimal
    moving_average_20: Decimal

    @property
    def identity(self) -> str:
        """What makes the alert one and the same however often it is delivered."""
        return f"{self.quote.symbol}#{self.kind}#{self.quote.timestamp}"

    @property
    def severity(self) -> str:
        """`info` for a trend, `warning` for an anomaly."""
        return "info" if self.kind.startswith("trend_") else "warning"

    @property
    def subject(self) -> str:
        """The mail's subject, under 100 ASCII characters."""
        quote = self.quote
        subject = {
            "trend_up": f"{quote.symbol} turns up at {_usd(quote.price)}",
            "trend_down": f"{quote.symbol} turns down at {_usd(quote.price)}",
            "price_move": f"{quote.symbol} {self.change_percent:+}% from the previous close, at {_usd(quote.price)}",
            "band_break": f"{quote.symbol} leaves its usual band, at {_usd(quote.price)}",
        }[self.kind]
        prefix = "" if quote.source not in _SOURCE_NOTES else f"[{quote.source}] "
        return (prefix + subject)[:MAX_SUBJECT_CHARACTERS]

    @property
    def text(self) -> str:
        """The mail's body, plain text in lines of at most 72 characters."""
        quote = self.quote
        local = quote.time.astimezone(NEW_YORK)
        rows = [
            ("Symbol", quote.symbol),
            ("Price", f"{_usd(quote.price)} ({self.change_percent:+}% from {_usd(quote.previous_close)})"),
            ("Time", f"{local:%a %d %b %Y, %H:%M:%S} New York ({quote.timestamp})"),
            ("Day so far", f"open {_usd(quote.open)}, low {_usd(quote.low)}, high {_usd(quote.high)}"),
            ("Volume", f"{quote.volume:,} shares"),
            ("Average of 5", _usd(self.moving_average_5)),
            ("Average of 20", _usd(self.moving_average_20)),
            ("Source", quote.source),
        ]
        table = "\n".join(f"{label + ':':<15}{value}" for label, value in rows)
        note = _SOURCE_NOTES.get(quote.source)
        return "\n\n".join(filter(None, [self._explanation, table, note])) + "\n"

    @property
    def _explanation(self) -> str:
        symbol = self.quote.symbol
        return {
            "trend_up": f"{symbol}: the average of its last 5 prices has risen above\nthe average of its last 20.",
            "trend_down": f"{symbol}: the average of its last 5 prices has fallen below\nthe average of its last 20.",
            "price_move": f"{symbol} has moved unusually far from its previous close.\n"
            "You get one message when it enters this state, not one per quote.",
            "band_break": f"{symbol} trades outside the band of its last 20 prices.\n"
            "You get one message when it enters this state, not one per quote.",
        }[self.kind]


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}"
