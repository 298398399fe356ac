"""Alerts to people: which a stored quote carries, and how each reads in a mail client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from textwrap import wrap
from typing import Any

from tapeline.market.dates import NEW_YORK
from tapeline.market.quotes import Quote

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
        `trend_up`, `trend_down`, the name of an anomaly rule, `suspect` or `correction`.
    quote : Quote
        The quote that raised it.
    change_percent : Decimal or None
        Against the previous close, two decimals; None if price or previous close is suspect.
    moving_average_5, moving_average_20 : Decimal or None
        Means of the last prices, USD; None if the price is suspect.
    suspect : tuple of str
        Figures that are not believed, ``figure:reason``.
    corrected : mapping or None
        For a correction, the version that it takes the place of: its figures and the kinds of alert it raised, see
        `tapeline.stream.batch.version_to_json`.
    """

    kind: str
    quote: Quote
    change_percent: Decimal | None
    moving_average_5: Decimal | None
    moving_average_20: Decimal | None
    suspect: tuple[str, ...] = ()
    corrected: Mapping[str, Any] | None = None

    @property
    def identity(self) -> str:
        """What makes the alert one and the same however often it is delivered."""
        revision = f"#{self.quote.revision}" if self.quote.revision else ""
        return f"{self.quote.symbol}#{self.kind}#{self.quote.timestamp}{revision}"

    @property
    def severity(self) -> str:
        """`info` for a trend, `warning` for everything else."""
        return "info" if self.kind.startswith("trend_") else "warning"

    @property
    def subject(self) -> str:
        """The mail's subject, under 100 ASCII characters."""
        quote = self.quote
        subject = {
            "trend_up": f"{quote.symbol} turns up at {_usd(quote.price)}",
            "trend_down": f"{quote.symbol} turns down at {_usd(quote.price)}",
            "price_move": f"{quote.symbol} {self._change} from the previous close, at {_usd(quote.price)}",
            "band_break": f"{quote.symbol} leaves its usual band, at {_usd(quote.price)}",
            "suspect": f"{quote.symbol}: looks wrong, not counted: {self._suspect_figures}",
            "correction": f"{quote.symbol} corrected: a message was sent on a wrong figure",
        }[self.kind]
        prefix = "" if quote.source not in _SOURCE_NOTES else f"[{quote.source}] "
        return (prefix + subject)[:MAX_SUBJECT_CHARACTERS]

    @property
    def text(self) -> str:
        """The mail's body, plain text in lines of at most 72 characters."""
        quote = self.quote
        local = quote.time.astimezone(NEW_YORK)
        figures = [
            ("Price", f"{_usd(quote.price)} ({self._change} from {_usd(quote.previous_close)})"),
            ("Day so far", f"open {_usd(quote.open)}, low {_usd(quote.low)}, high {_usd(quote.high)}"),
            ("Volume", f"{quote.volume:,} shares"),
            ("Average of 5", _usd(self.moving_average_5)),
            ("Average of 20", _usd(self.moving_average_20)),
            ("Looks wrong", self._suspect_figures),
        ]
        rows = [
            ("Symbol", quote.symbol),
            ("Time", f"{local:%a %d %b %Y, %H:%M:%S} New York ({quote.timestamp})"),
            *([] if self._is_withdrawal else figures),
            ("Source", quote.source),
            ("Source says", f"\n{'':<15}".join(wrap(quote.doubt, 60))),
        ]
        table = "\n".join(f"{label + ':':<15}{value}" for label, value in rows if value)
        note = _SOURCE_NOTES.get(quote.source)
        return "\n\n".join(filter(None, [self._explanation, table, note])) + "\n"

    @property
    def _change(self) -> str:
        return "change unknown" if self.change_percent is None else f"{self.change_percent:+.2f}%"

    @property
    def _suspect_figures(self) -> str:
        names = [reason.partition(":")[0].replace("_", " ") for reason in self.suspect]
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))

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
            "suspect": self._explain_suspicion(),
            "correction": self._explain_correction(),
        }[self.kind]

    def _explain_suspicion(self) -> str:
        quote = self.quote
        lines = [f"{quote.symbol}: figures that look wrong.", "They are stored and marked, and do not count:"]
        for reason in self.suspect:
            name, _, why = reason.partition(":")
            figure = f"{quote.volume:,} shares" if name == "volume" else _usd(getattr(quote, name))
            lines += [f"- {name.replace('_', ' ')} {figure}:", f"  {_WHY[why if why != 'far' else f'far {name}']}."]
        lines += [
            "",
            "What to do: mostly nothing. A price counts again when two more quotes",
            "lie within 0.5 % of it, or one after two minutes. If a figure is really",
            "wrong, `tapeline correct` replaces it, or withdraws it.",
        ]
        return "\n".join(lines)

    def _explain_correction(self) -> str:
        quote, before = self.quote, self.corrected or {}
        sent = " and ".join(_SENT.get(kind, kind.replace("_", " ")) for kind in before.get("alerts", ()))
        was = f", at {_usd(Decimal(before['price']))}" if before else ""
        now = "that print is withdrawn" if self._is_withdrawal else "the figures below stand in its place"
        return (
            f"{quote.symbol}: a message was sent on a figure that was wrong.\n"
            f"Sent: {sent or 'an alert'}{was}.\nNow: {now} (version {quote.revision})."
        )

    @property
    def _is_withdrawal(self) -> bool:
        return "price:withdrawn" in self.suspect


_SENT = {
    "trend_up": "turns up",
    "trend_down": "turns down",
    "price_move": "moved far from its previous close",
    "band_break": "left its usual band",
    "suspect": "looks wrong",
    "correction": "a correction",
}

_WHY = {
    "far price": "far from the last prices and from the previous close",
    "far previous_close": "far from all prices: an unknown split, a wrong figure, or news",
    "far open": "no price came near it",
    "far high": "no price came near it",
    "far low": "no price came near it",
    "far volume": "out of all proportion to what is usual",
    "fell": "far below what it was",
    "zero": "zero is no price",
    "doubted": "the source itself doubts it",
    "withdrawn": "the print was withdrawn",
    "below_low": "it is below the low",
    "above_high": "it is above the high",
}


def _usd(amount: Decimal | None) -> str:
    return "" if amount is None else f"${amount:,.2f}"
