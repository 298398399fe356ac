"""What the stream's verdicts on figures, ``figure:reason``, are in words: short for the desk, in full for a mail."""

from __future__ import annotations

from collections.abc import Sequence

from tapeline.market import quotes

FIGURES = {name: name.replace("_", " ") for name in quotes.FIGURES} | {"high": "day's high", "low": "day's low"}

REASONS = {
    "far": "out of all proportion",
    "zero": "zero",
    "doubted": "doubted by the source",
    "withdrawn": "withdrawn",
    "fell": "far below what it was",
    "below_low": "below the day's low",
    "above_high": "above the day's high",
}

_IN_FULL = {
    **dict.fromkeys(("open:far", "high:far", "low:far"), "no price came near it"),
    "price:far": "far from the last prices and from the previous close",
    "previous_close:far": "far from all prices: an unknown split, a wrong figure, or news",
    "volume:far": "out of all proportion to what is usual",
    "zero": "zero is no price",
    "doubted": "the source itself doubts it",
    "withdrawn": "the print was withdrawn",
    "below_low": "it is below the low",
    "above_high": "it is above the high",
}


def _reason_words(reason: str) -> str:
    return REASONS.get(reason, reason.replace("_", " "))


def explain(verdict: str) -> str:
    """Return why a figure is suspect, as a mail says it.

    >>> explain("open:far"), explain("volume:fell")
    ('no price came near it', 'far below what it was')
    """
    reason = verdict.partition(":")[2]
    return _IN_FULL.get(verdict) or _IN_FULL.get(reason) or _reason_words(reason)


def verdict_words(verdicts: Sequence[str], doubt: str = "") -> str:
    """Return verdicts in words, with those of the source where it has some.

    >>> verdict_words(["high:far", "volume:zero"])
    "day's high out of all proportion, volume zero"
    """
    statements = dict(part.split(": ", 1) for part in doubt.split("; ") if ": " in part)
    texts = []
    for verdict in verdicts:
        figure, _, reason = verdict.partition(":")
        statement = f" ({statements[figure]})" if reason == "doubted" and figure in statements else ""
        texts.append(f"{FIGURES.get(figure, figure)} {_reason_words(reason)}{statement}")
    return ", ".join(texts)
