"""Every kind of alert: its name, all its words, and of a rule the threshold and the decision.

To add a rule, write its function and its entry in `RULES`: nothing else. Mails, the market desk and the Lambdas read it
from here, and its threshold is set by the stack's parameter `RuleThresholds`, such as ``{"band_break": 3}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tapeline.market.indicators import LONG_WINDOW, Side, change_percent
from tapeline.market.quotes import Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertKind:
    """One kind of message to people, in all its words.

    Attributes
    ----------
    name : str
        As it is stored, and as the message's attribute `kind` has it.
    mark : str
        One or two words beside a symbol's price on the desk.
    label : str
        What comes after the symbol in the desk's list of alerts.
    event : str
        A sentence in the course of a symbol's day. ``{change}`` becomes a colon and the change in per cent, if known.
    sent : str
        How a correction names it, after "Sent:".
    subject, explanation : str
        Of the mail; fields in braces are those of `tapeline.market.alerts.Alert.words`. Lines of at most 72 characters.
    severity : {"info", "warning"}
        The message's attribute, by which a subscriber may filter.
    tone : {"up", "down", "warning", "plain"}
        How the desk colours it.
    """

    name: str
    mark: str
    label: str
    event: str
    sent: str
    subject: str
    explanation: str
    severity: Literal["info", "warning"] = "warning"
    tone: Literal["up", "down", "warning", "plain"] = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(AlertKind):
    """A rule: a quote for which it holds is an anomaly, and the first of a row of them raises an alert of this kind.

    Attributes
    ----------
    threshold : Decimal
        Where the deployment sets none; 0 turns the rule off.
    needs : frozenset of str
        The figures of a quote that it reads; while one of them is suspect, it is not applied.
    holds : callable
        Given a quote, up to 20 prices of its symbol before it (USD, oldest first) and the threshold (above 0), returns
        whether the rule holds.
    variable : str
        Environment variable of the stream processor that holds the threshold, for a rule whose threshold is a stack
        parameter of its own. New rules need none: `RuleThresholds` has theirs.
    """

    threshold: Decimal
    needs: frozenset[str]
    holds: Callable[[Quote, Sequence[Decimal], Decimal], bool]
    variable: str = ""


def price_move(quote: Quote, earlier_prices: Sequence[Decimal], threshold: Decimal) -> bool:
    """Return whether the price is far from the previous close: ``|change_percent| > threshold``.

    `change_percent` is the stored figure with its two decimals, so that a quote shown at 5.00 % is never flagged as
    above 5. Source: the rule of the design this pipeline descends from, threshold 5 %.
    """
    return abs(change_percent(quote.price, quote.previous_close)) > threshold


def band_break(quote: Quote, earlier_prices: Sequence[Decimal], threshold: Decimal) -> bool:
    """Return whether the price leaves its Bollinger band: ``|price - mean| > threshold * standard deviation``.

    Mean and population standard deviation are those of the 20 prices before this one; fewer prices, or prices that
    never moved, flag nothing. Source: J. Bollinger, "Bollinger on Bollinger Bands" (2001), the band being that of the
    prices before.
    """
    if len(earlier_prices) < LONG_WINDOW:
        return False
    mean = sum(earlier_prices, Decimal()) / len(earlier_prices)
    variance = sum(((price - mean) ** 2 for price in earlier_prices), Decimal()) / len(earlier_prices)
    return variance > 0 and (quote.price - mean) ** 2 > threshold**2 * variance


RULES = (
    Rule(
        name="price_move",
        threshold=Decimal(5),
        needs=frozenset({"price", "previous_close"}),
        holds=price_move,
        variable="PRICE_MOVE_PERCENT",
        mark="Move",
        label="far from the previous close",
        event="Moved far from the previous close{change}",
        sent="moved far from its previous close",
        subject="{symbol} {change} from the previous close, at {price}",
        explanation="{symbol} has moved unusually far from its previous close.\n"
        "You get one message when it enters this state, not one per quote.",
    ),
    Rule(
        name="band_break",
        threshold=Decimal(0),
        needs=frozenset({"price"}),
        holds=band_break,
        variable="BAND_BREAK_DEVIATIONS",
        mark="Band",
        label="left its usual band",
        event="Left the band around its average",
        sent="left its usual band",
        subject="{symbol} leaves its usual band, at {price}",
        explanation="{symbol} trades outside the band of its last 20 prices.\n"
        "You get one message when it enters this state, not one per quote.",
    ),
)
"""In the order in which a quote's reasons are stored."""


_CROSSES: tuple[tuple[Side, str, str], ...] = (("up", "over", "risen above"), ("down", "under", "fallen below"))
TRENDS = tuple(
    AlertKind(
        name=f"trend_{side}",
        mark=f"Trend {side}",
        label=f"turned {side}",
        event=f"5-quote average went {event} the 20-quote average",
        sent=f"turns {side}",
        subject=f"{{symbol}} turns {side} at {{price}}",
        explanation=f"{{symbol}}: the average of its last 5 prices has {moved}\nthe average of its last 20.",
        severity="info",
        tone=side,
    )
    for side, event, moved in _CROSSES
)

SUSPECT = AlertKind(
    name="suspect",
    mark="Suspect",
    label="has figures that look wrong",
    event="Looks wrong",
    sent="looks wrong",
    subject="{symbol}: looks wrong, not counted: {suspect_figures}",
    explanation="{symbol}: figures that look wrong.\n"
    "They are stored and marked, and do not count:\n"
    "{suspect_lines}\n"
    "\n"
    "What to do: mostly nothing. A price counts again when two more quotes\n"
    "lie within 0.5 % of it, or one after two minutes. If a figure is really\n"
    "wrong, `tapeline correct` replaces it, or withdraws it.",
    tone="plain",
)

CORRECTED = AlertKind(
    name="correction",
    mark="Corrected",
    label="was corrected after an alert",
    event="Corrected after an alert",
    sent="a correction",
    subject="{symbol} corrected: a message was sent on a wrong figure",
    explanation="{symbol}: a message was sent on a figure that was wrong.\n"
    "Sent: {sent_before}.\n"
    "Now: {now} (version {version}).",
    tone="plain",
)

KINDS: Mapping[str, AlertKind] = {kind.name: kind for kind in (*RULES, *TRENDS, SUSPECT, CORRECTED)}


def kind_named(name: str) -> AlertKind:
    """Return a kind; for a stored name that this version does not know, one that says no more than the name."""
    words = name.replace("_", " ")
    return KINDS.get(name) or AlertKind(
        name=name,
        mark=words,
        label=words,
        event=words,
        sent=words,
        subject=f"{{symbol}}: {words}, at {{price}}",
        explanation=f"{{symbol}}: {words}.",
    )


def words_of_kinds() -> dict[str, dict[str, str]]:
    """Return what the desk's page needs of each kind, by name: `mark`, `label` and `tone`."""
    return {kind.name: {"mark": kind.mark, "label": kind.label, "tone": kind.tone} for kind in KINDS.values()}


def default_thresholds() -> dict[str, Decimal]:
    """Return the threshold of each rule where the deployment sets none."""
    return {rule.name: rule.threshold for rule in RULES}


def read_thresholds(text: str) -> dict[str, str]:
    """Read the stack's parameter `RuleThresholds`: JSON of numbers by rule, each as it is written.

    Raises
    ------
    ValueError
        If it is no such JSON.
    """
    try:
        numbers = json.loads(text or "{}", parse_float=str, parse_int=str)
        return {name: str(number) for name, number in numbers.items()}
    except (ValueError, AttributeError):
        raise ValueError(f'expected JSON such as {{"price_move": 5}}, found {text!r}') from None


def unanswerable(absent: Set[str]) -> frozenset[str]:
    """Return the rules that cannot be applied while some figures are absent."""
    return frozenset(rule.name for rule in RULES if rule.needs & absent) if absent else frozenset()


def reasons(
    quote: Quote, earlier_prices: Sequence[Decimal], thresholds: Mapping[str, Decimal], absent: Set[str] = frozenset()
) -> tuple[str, ...]:
    """Return the names of the rules that hold for a quote, in the order of `RULES`.

    A rule with threshold 0, or without a threshold, is off; one that needs an absent figure does not hold.
    """
    return tuple(
        rule.name
        for rule in RULES
        if (threshold := thresholds.get(rule.name))
        and rule.needs.isdisjoint(absent)
        and rule.holds(quote, earlier_prices, threshold)
    )
