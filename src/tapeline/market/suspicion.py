"""Suspicion: which figures of a quote no market makes, each judged by itself, and when later quotes confirm them.

A suspect figure is kept and named but counts as absent. What speaks for a figure is evidence, not repetition: a price
is confirmed by further prices near it, a day's high by a price that comes near it. A previous close, an open, a high
and a low come with every quote of the day, right or wrong, and so cannot confirm themselves; a volume is a counter, and
is believed when the counter goes on from where it jumped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from tapeline.market.dates import partition_of
from tapeline.market.quotes import FIGURES, Quote, read_timestamp

CONFIRMING_QUOTES = 3
"""Prices near the first of a run, that one included, that confirm it at once."""

CONFIRMING_TIME = timedelta(minutes=2)
"""After it one more price near the first is enough; so is a run of three that stays in its neighbourhood, as prices
that go on falling do."""

NEARNESS = Decimal("0.005")
"""How near, as a share of the first price of the run."""

MOST_UNITS = 10**15
"""Shares that no instrument trades in a day; all of New York's together trade some 10^10."""

LEAST_USUAL_VOLUME = 100_000
"""A thin symbol's usual volume is taken for so much: some hundred times of next to nothing is an ordinary busy day."""

QUIET_REASONS = frozenset({"volume:fell"})
"""Not worth a message: the counters of round-the-clock markets restart at midnight of their own."""

NEW_SCALE = Decimal("0.34")
"""A jump between the prices of one date to less than this share, or from it, is taken for a split, not for news."""

UNBELIEVABLE = Decimal("0.0001")
"""A price and a previous close of which one is less than this share of the other are never believed together."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a deployment may set; 0 turns a limit off.

    Attributes
    ----------
    price_percent : Decimal
        A price is far from others if the smaller is more than so many per cent below the larger. So are an open, a high
        and a low from all prices known.
    change_percent : Decimal
        The same for a price and its previous close.
    volume_times : Decimal
        A volume is far from what is usual if one is more than so many times the other.
    """

    price_percent: Decimal = Decimal(20)
    change_percent: Decimal = Decimal(45)
    volume_times: Decimal = Decimal(100)


NO_LIMITS = Limits(Decimal(0), Decimal(0), Decimal(0))
"""For what a person says: only figures that cannot be reckoned with stay suspect."""


@dataclass(frozen=True, slots=True)
class SuspectRun:
    """Suspect figures in a row that lie near each other.

    Attributes
    ----------
    since : str
        Time of the first's quote.
    near, quotes : int
        Those within `NEARNESS` of the first, that one included, and all of them.
    """

    first: Decimal
    since: str
    near: int = 1
    quotes: int = 1


@dataclass(frozen=True, slots=True)
class SymbolMemory:
    """What is known of one symbol beside its last prices.

    Attributes
    ----------
    day : str
        Trading date of the newest quote, ``YYYY-MM-DD``; empty for a symbol never seen.
    low, high : Decimal or None
        Lowest and highest figure of that date that was believed, USD.
    volume, usual_volume : int
        The newest volume of that date, and the last of the date before, that were believed; 0 for none.
    price_run, volume_run : SuspectRun or None
        Suspect figures that wait for confirmation.
    """

    day: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    volume: int = 0
    usual_volume: int = 0
    price_run: SuspectRun | None = None
    volume_run: SuspectRun | None = None

    def on(self, day: str) -> SymbolMemory:
        """Return the memory as a trading date begins; itself if that is the date it is of."""
        if day == self.day:
            return self
        return SymbolMemory(day=day, usual_volume=self.volume or self.usual_volume)

    def has_seen(self, price: Decimal) -> bool:
        """Return whether a price lies between the date's lowest and highest."""
        return self.low is not None and self.high is not None and self.low <= price <= self.high


@dataclass(frozen=True, slots=True)
class QuoteVerdict:
    """What a quote is worth.

    Attributes
    ----------
    reasons : tuple of str
        ``figure:reason`` of each suspect figure, in the order of `FIGURES`. Reasons are ``far`` (out of all
        proportion), ``fell`` (a volume, as a counter that restarts does), ``zero``, ``doubted`` (by the source),
        ``withdrawn``, ``below_low`` and ``above_high``.
    confirms : str
        Time of the first quote of the run of suspect prices that this quote confirms; mostly empty.
    new_scale : bool
        Whether the price is believed though far from all before, so that no average may mix them: a split.
    memory : SymbolMemory
        What is known after the quote.
    """

    reasons: tuple[str, ...]
    confirms: str
    new_scale: bool
    memory: SymbolMemory

    @property
    def figures(self) -> frozenset[str]:
        """The suspect figures."""
        return frozenset(map(figure_of, self.reasons))


def figure_of(reason: str) -> str:
    """Return the figure of a reason.

    >>> figure_of("previous_close:far")
    'previous_close'
    """
    return reason.partition(":")[0]


def is_suspect(verdicts: Iterable[str], figure: str) -> bool:
    """Return whether a figure is among the suspect ones, ``figure:reason``."""
    return figure in map(figure_of, verdicts)


def judge_quote(quote: Quote, prices: Sequence[Decimal], memory: SymbolMemory, limits: Limits) -> QuoteVerdict:
    """Judge each figure of a quote.

    Parameters
    ----------
    quote : Quote
        Without prices and memory it is judged by itself.
    prices : sequence of Decimal
        The last prices of its symbol that were believed, USD; for a late quote its date's lowest and highest.
    memory : SymbolMemory
        What else is known of the symbol.
    limits : Limits
        What is far.
    """
    if quote.revision and not quote.price:
        return QuoteVerdict(("price:withdrawn", "previous_close:withdrawn"), "", new_scale=False, memory=memory)
    memory = memory.on(partition_of(quote.timestamp))
    reasons = dict.fromkeys(quote.doubted_figures, "doubted")
    reason, confirms, run, new_scale = _judge_price(quote, prices, memory, limits, "previous_close" in reasons)
    if reason:
        reasons.setdefault("price", reason)
    price = None if "price" in reasons else quote.price
    if price is None:
        confirms, new_scale = "", False
    if new_scale:
        prices, memory = (), replace(memory, low=None, high=None)

    reason = _judge_previous_close(quote.previous_close, price, prices, memory, limits)
    if reason:
        reasons.setdefault("previous_close", reason)
    previous_close = None if "previous_close" in reasons else quote.previous_close

    figures = [figure for figure in (price, previous_close, memory.low, memory.high) if figure is not None]
    figures += [min(prices), max(prices)] if prices else []
    _judge_day(quote, figures, limits, reasons)

    reason, volume_run = _judge_volume(quote, memory, limits)
    if reason:
        reasons.setdefault("volume", reason)
    believed = [price] if price is not None else []
    believed += [figure for name in ("open", "high", "low") if name not in reasons and (figure := getattr(quote, name))]
    if memory.low is not None and memory.high is not None:
        believed += [memory.low, memory.high]
    return QuoteVerdict(
        reasons=tuple(f"{name}:{reasons[name]}" for name in FIGURES if name in reasons),
        confirms=confirms,
        new_scale=new_scale,
        memory=SymbolMemory(
            day=memory.day,
            low=min(believed, default=None),
            high=max(believed, default=None),
            volume=quote.volume if quote.volume and "volume" not in reasons else memory.volume,
            usual_volume=memory.usual_volume,
            price_run=run,
            volume_run=volume_run,
        ),
    )


def _judge_price(
    quote: Quote, prices: Sequence[Decimal], memory: SymbolMemory, limits: Limits, previous_close_is_doubted: bool
) -> tuple[str, str, SuspectRun | None, bool]:
    """Return why the price is suspect, the run it confirms, the run that goes on, and whether the scale is new."""
    price, keep = quote.price, _kept(limits.price_percent)
    previous_close = Decimal(0) if previous_close_is_doubted else quote.previous_close
    if not price:
        return "zero", "", None, False
    if prices:
        low, high = min(prices), max(prices)
        if _reaches(price, low, high, keep) or memory.has_seen(price):
            return "", "", None, False
        if previous_close and _reaches(price, previous_close, previous_close, keep):
            # A jump that the previous close has made too is a split, or a night; it is made before the date's first
            # price. Later it may be another symbol's quote, unless that close fits the day.
            if memory.low is None or memory.high is None:
                return "", "", None, not _reaches(previous_close, low, high, keep)
            if _reaches(previous_close, memory.low, memory.high, keep):
                return "", "", None, False
        scale = NEW_SCALE if memory.low is not None else _kept(limits.change_percent) or UNBELIEVABLE
        jumped = not _reaches(price, low, high, scale)
    elif _fits_alone(quote, previous_close, limits):
        return "", "", None, False
    else:
        jumped = False
    run = memory.price_run
    if run is None or not _reaches(price, run.first, run.first, keep):
        return "far", "", SuspectRun(price, quote.timestamp), False
    is_near = abs(price - run.first) <= run.first * NEARNESS
    run = SuspectRun(run.first, run.since, run.near + is_near, run.quotes + 1)
    has_waited = quote.time - read_timestamp(run.since) >= CONFIRMING_TIME
    if (is_near and (run.near >= CONFIRMING_QUOTES or has_waited)) or (run.quotes >= CONFIRMING_QUOTES and has_waited):
        return "", run.since, None, jumped
    return "far", "", run, False


def _fits_alone(quote: Quote, previous_close: Decimal, limits: Limits) -> bool:
    """Return whether a price fits the other figures of its own quote, which are all that is known."""
    price, keep = quote.price, _kept(limits.price_percent)
    if previous_close and _reaches(price, previous_close, previous_close, keep):
        return True
    if 0 < quote.low <= quote.high and not _reaches(price, quote.low, quote.high, keep):
        return False
    others = [figure for figure in (previous_close, quote.open) if figure]
    return not others or any(_reaches(price, other, other, _kept(limits.change_percent)) for other in others)


def _judge_previous_close(
    previous_close: Decimal, price: Decimal | None, prices: Sequence[Decimal], memory: SymbolMemory, limits: Limits
) -> str:
    """Return why a previous close is suspect: today's prices speak for it, those of before where there are none."""
    if not previous_close:
        return "zero"
    if price is not None and not _reaches(previous_close, price, price, UNBELIEVABLE):
        return "far"
    today = [figure for figure in (price, memory.low, memory.high) if figure is not None] or list(prices)
    keep = _kept(limits.change_percent)
    return "" if not today or _reaches(previous_close, min(today), max(today), keep) else "far"


def _judge_day(quote: Quote, figures: Sequence[Decimal], limits: Limits, reasons: dict[str, str]) -> None:
    """Add why open, high and low are suspect; 0 says nothing."""
    keep = _kept(limits.price_percent)
    low, high = (min(figures), max(figures)) if figures else (None, None)
    for name in ("open", "high", "low"):
        figure: Decimal = getattr(quote, name)
        if figure and keep and (low is None or high is None or not _reaches(figure, low, high, keep)):
            reasons.setdefault(name, "far")
    if 0 < quote.high < quote.low and not {"high", "low"} & reasons.keys():
        reasons.update(high="below_low", low="above_high")


def _judge_volume(quote: Quote, memory: SymbolMemory, limits: Limits) -> tuple[str, SuspectRun | None]:
    """Return why a volume is suspect, and the run that goes on; 0 says nothing."""
    volume, times = quote.volume, limits.volume_times
    if volume > MOST_UNITS:
        return "far", None
    usual = max(memory.volume, memory.usual_volume)
    has_jumped = usual and volume > times * max(usual, LEAST_USUAL_VOLUME)
    has_fallen = memory.volume > LEAST_USUAL_VOLUME and volume * times < memory.volume
    if not volume or not times or not (has_jumped or has_fallen):
        return "", None if volume else memory.volume_run
    reason = "far" if has_jumped else "fell"
    run = memory.volume_run
    if run is None or volume < run.first * (1 - NEARNESS) or volume > run.first * times:
        return reason, SuspectRun(Decimal(volume), quote.timestamp)
    run = SuspectRun(run.first, run.since, run.near + 1, run.quotes + 1)
    if run.near >= CONFIRMING_QUOTES or quote.time - read_timestamp(run.since) >= CONFIRMING_TIME:
        return "", None
    return reason, run


def _kept(percent: Decimal) -> Decimal:
    """Return the share of the larger figure that the smaller must have; 0 for a limit that is off."""
    return 1 - percent / 100 if percent else Decimal(0)


def _reaches(figure: Decimal, low: Decimal, high: Decimal, keep: Decimal) -> bool:
    """Return whether a figure lies in a range, or so near that the smaller of the two has its share of the larger.

    Of a price in fractions of a cent two steps of its last decimal are near, whatever their share.
    """
    if low * keep <= figure and figure * keep <= high:
        return True
    exponent = figure.as_tuple().exponent
    if not isinstance(exponent, int) or exponent > -4:
        return False
    steps = Decimal((0, (2,), exponent))
    return low - steps <= figure <= high + steps
