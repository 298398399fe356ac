"""Alerts to people: which a stored quote carries, and how each reads in a mail client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from textwrap import wrap
from typing import Any

from tapeline.market.dates import NEW_YORK
from tapeline.market.quotes import Quote
from tapeline.market.rules import kind_named
from tapeline.market.suspicion import figure_of
from tapeline.market.suspicion_words import explain

MOST_SUBJECT_CHARACTERS = 99
"""Under 100 ASCII characters, as SNS takes them."""

_SOURCE_NOTES = {
    "simulated": "This quote comes from Tapeline's simulated market. It is not a real price.",
    "replay": "This quote was replayed from a file. It is not a current price.",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, raised by a quote.

    Attributes
    ----------
    kind : str
        Name of one of `tapeline.market.rules.KINDS`.
    change_percent : Decimal or None
        Against the previous close, two decimals; None if price or previous close is suspect.
    moving_average_5, moving_average_20 : Decimal or None
        Means of the last prices, USD; None if the price is suspect.
    suspect : tuple of str
        Figures that are not believed, ``figure:reason``.
    corrected : mapping or None
        For a correction, the version that it takes the place of: its figures and the kinds of alert it raised, see
        `tapeline.stream.batch.version_to_json`.
    fired : mapping or None
        For an applied rule, what it saw: see `tapeline.stream.items`.
    """

    kind: str
    quote: Quote
    change_percent: Decimal | None
    moving_average_5: Decimal | None
    moving_average_20: Decimal | None
    suspect: tuple[str, ...] = ()
    corrected: Mapping[str, Any] | None = None
    fired: Mapping[str, Any] | None = None

    @property
    def identity(self) -> str:
        """What makes the alert one and the same however often it is delivered."""
        revision = f"#{self.quote.revision}" if self.quote.revision else ""
        return f"{self.quote.symbol}#{self.kind}#{self.quote.timestamp}{revision}"

    @property
    def severity(self) -> str:
        """That of the applied rule; else `info` for a trend, `warning` for everything else."""
        return str(self.fired["severity"]) if self.fired else kind_named(self.kind).severity

    @property
    def subject(self) -> str:
        """The mail's subject, ASCII."""
        prefix = f"[{self.quote.source}] " if self.quote.source in _SOURCE_NOTES else ""
        if self.fired:
            return f"{prefix}{self.quote.symbol} {self.fired['fact']}"[:MOST_SUBJECT_CHARACTERS]
        return prefix + kind_named(self.kind).subject.format_map(self.words)

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
        explanation = self._rule_words or kind_named(self.kind).explanation.format_map(self.words)
        return "\n\n".join(filter(None, [explanation, table, note])) + "\n"

    @property
    def _rule_words(self) -> str:
        """What an applied rule saw, why it fired, and how to change it."""
        if not self.fired:
            return ""
        rule = self.kind
        parts = (
            f"{self.quote.symbol} {self.fired['fact']}.",
            f"Rule {rule}: {self.fired['wish']}. {self.fired['note']}",
            f"Too much? `tapeline rules mute {rule} --symbol {self.quote.symbol}` silences it until tomorrow; "
            "`tapeline rules export` shows all rules.",
        )
        return "\n\n".join("\n".join(wrap(part, 72, break_on_hyphens=False)) for part in parts)

    @property
    def words(self) -> dict[str, str]:
        """What the words of a kind may name in braces."""
        return {
            "symbol": self.quote.symbol,
            "price": _usd(self.quote.price),
            "change": self._change,
            "suspect_figures": self._suspect_figures,
            "suspect_lines": self._suspect_lines,
            "sent_before": self._sent_before,
            "now": "that print is withdrawn" if self._is_withdrawal else "the figures below stand in its place",
            "version": str(self.quote.revision),
        }

    @property
    def _change(self) -> str:
        return "change unknown" if self.change_percent is None else f"{self.change_percent:+.2f}%"

    @property
    def _suspect_figures(self) -> str:
        names = [figure_of(reason).replace("_", " ") for reason in self.suspect]
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))

    @property
    def _suspect_lines(self) -> str:
        quote, lines = self.quote, []
        for verdict in self.suspect:
            name = figure_of(verdict)
            figure = f"{quote.volume:,} shares" if name == "volume" else _usd(getattr(quote, name))
            lines += [f"- {name.replace('_', ' ')} {figure}:", f"  {explain(verdict)}."]
        return "\n".join(lines)

    @property
    def _sent_before(self) -> str:
        before = self.corrected or {}
        kinds = " and ".join(kind_named(kind).sent for kind in before.get("alerts", ()))
        return (kinds or "an alert") + (f", at {_usd(Decimal(before['price']))}" if before else "")

    @property
    def _is_withdrawal(self) -> bool:
        return "price:withdrawn" in self.suspect


def _usd(amount: Decimal | None) -> str:
    return "" if amount is None else f"${amount:,.2f}"
