"""Anomaly rules. Each is a function with a name, a formula, a source and a threshold that is a setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from decimal import Decimal

from tapeline.market.indicators import LONG_WINDOW, change_percent
from tapeline.market.quotes import Quote

Rule = Callable[[Quote, Sequence[Decimal], Decimal], bool]


def price_move(quote: Quote, earlier_prices: Sequence[Decimal], threshold: Decimal) -> bool:
    """Tell whether the price is far from the previous close: ``|change_percent| > threshold``.

    `change_percent` is the stored figure with its two decimals, so that a quote shown at 5.00 % is never flagged as
    above 5. Source: the rule of the design this pipeline descends from, threshold 5 %.
    """
    return abs(change_percent(quote.price, quote.previous_close)) > threshold


def band_break(quote: Quote, earlier_prices: Sequence[Decimal], threshold: Decimal) -> bool:
    """Tell whether the price leaves its Bollinger band: ``|price - mean| > threshold * standard deviation``.

    Mean and population standard deviation are those of the 20 prices before this one; fewer prices, or prices that
    never moved, flag nothing. Source: J. Bollinger, "Bollinger on Bollinger Bands" (2001), the band being that of the
    prices before.
    """
    if len(earlier_prices) < LONG_WINDOW:
        return False
    mean = sum(earlier_prices, Decimal()) / len(earlier_prices)
    variance = sum(((price - mean) ** 2 for price in earlier_prices), Decimal()) / len(earlier_prices)
    return variance > 0 and (quote.price - mean) ** 2 > threshold**2 * variance


RULES: Mapping[str, Rule] = {"price_move": price_move, "band_break": band_break}

NEEDED: Mapping[str, frozenset[str]] = {
    "price_move": frozenset({"price", "previous_close"}),
    "band_break": frozenset({"price"}),
}
"""The figures each rule asks about."""


def unanswerable(absent: Set[str]) -> frozenset[str]:
    """Return the rules that cannot be asked while some figures are absent."""
    return frozenset(name for name, needed in NEEDED.items() if needed & absent) if absent else frozenset()


def reasons(
    quote: Quote,
    earlier_prices: Sequence[Decimal],
    thresholds: Mapping[str, Decimal],
    absent: Set[str] = frozenset(),
) -> tuple[str, ...]:
    """Return the names of the rules that hold for a quote, in the order of `RULES`.

    Parameters
    ----------
    quote : Quote
        The quote to judge.
    earlier_prices : sequence of Decimal
        Up to 20 prices of the symbol before it, oldest first, USD.
    thresholds : mapping of str to Decimal
        A threshold for each rule; a rule with threshold 0 is off.
    absent : set of str
        Figures of the quote that are not believed; a rule that needs one of them does not hold.
    """
    unasked = unanswerable(absent)
    return tuple(
        name
        for name, rule in RULES.items()
        if thresholds[name] > 0 and name not in unasked and rule(quote, earlier_prices, thresholds[name])
    )
