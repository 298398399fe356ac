"""The watch minute by minute from before Friday's close to Tuesday noon, New York: exactly the messages one wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from tapeline.market import trading_hours
from tapeline.market.quotes import write_timestamp
from tapeline.operations.feed_signs import Followed, NewestQuote
from tapeline.operations.health import Readings, judge
from tapeline.operations.light import Colour, Light
from tapeline.operations.watch_memory import Memory, Missed, look

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)
FRIDAY = "2026-03-13"
"""The weekend after daylight saving began; other cases name their own Friday."""

Span = tuple[str, str]
"""From and until, as "Mon 10:10"."""


@dataclass(frozen=True)
class Case:
    """What happens, and what a person wants to hear: "Mon 09:35 subject" in New York's time."""

    wanted: Sequence[str]
    friday: str = FRIDAY
    symbols: Sequence[str] = ("AAPL", "KO", "MSFT", "XOM")
    source: str = "yahoo"
    dead: Sequence[Span] = ()
    silent: dict[str, Sequence[Span]] = field(default_factory=dict)
    hung: Sequence[Span] = ()
    troubled: Sequence[Span] = ()
    lists: Sequence[tuple[str, Sequence[str]]] = ()
    started: Sequence[str] = ()
    subscribers: Sequence[tuple[str, int]] = ()
    dead_letters: Sequence[Span] = ()
    unread: Sequence[Span] = ()
    ahead: timedelta = timedelta(0)
    """How far the producer's clock is ahead."""


NEVER = ("Fri 12:00", "Tue 12:00")
WEEKEND = ("Fri 16:00", "Tue 12:00")
RED = "Feed: quotes red - "
HOURLY = [(f"{day} {hour:02}:01", f"{day} {hour + 1}:00") for day in ("Fri", "Mon", "Tue") for hour in range(9, 17)]

CASES = {
    "all is well": Case([]),
    "the feed dies on Friday afternoon and comes back on Monday": Case(
        [f"Fri 15:04 {RED}nothing new for 5 min, 4 symbols followed", "Mon 09:30 Feed: well again"],
        dead=[("Fri 15:00", "Mon 09:30")],
    ),
    "the feed dies on Friday afternoon for good": Case(
        [f"Fri 15:04 {RED}nothing new for 5 min, 4 symbols followed"], dead=[("Fri 15:00", "Tue 12:00")]
    ),
    "the feed does not come back on Monday": Case(
        [f"Mon 09:35 {RED}nothing new for 2 d 17 h, 4 symbols followed"], dead=[WEEKEND]
    ),
    "the feed comes back late on Monday": Case(
        [f"Mon 09:35 {RED}nothing new for 2 d 17 h, 4 symbols followed", "Mon 12:00 Feed: well again"],
        dead=[("Fri 16:00", "Mon 12:00")],
    ),
    "one symbol does not come back on Monday": Case(["Mon 09:35 Feed: KO silent"], silent={"KO": [WEEKEND]}),
    "two of many do not come back on Monday": Case(
        ["Mon 09:35 Feed: KO, XOM silent"], silent={"KO": [WEEKEND], "XOM": [WEEKEND]}
    ),
    "most do not come back on Monday": Case(
        [f"Mon 09:35 {RED}3 of 4 symbols silent: AAPL, KO, XOM"],
        silent={"AAPL": [WEEKEND], "KO": [WEEKEND], "XOM": [WEEKEND]},
    ),
    "Monday is a holiday": Case([], friday="2026-05-22"),
    "the feed does not come back after a holiday": Case(
        [f"Tue 09:35 {RED}nothing new for 3 d 17 h, 4 symbols followed"],
        friday="2026-05-22",
        dead=[WEEKEND],
    ),
    "daylight saving begins on the weekend": Case(
        [f"Mon 09:35 {RED}nothing new for 2 d 16 h, 4 symbols followed"], friday="2026-03-06", dead=[WEEKEND]
    ),
    "Friday is a half day": Case([], friday="2026-11-27"),
    "the feed dies on a half day": Case(
        [f"Fri 12:34 {RED}nothing new for 5 min, 4 symbols followed", "Mon 09:30 Feed: well again"],
        friday="2026-11-27",
        dead=[("Fri 12:30", "Mon 09:30")],
    ),
    "the feed dies minutes before the close": Case([], dead=[("Fri 15:56", "Mon 09:30")]),
    "an outage of more than a day": Case(
        [f"Mon 10:14 {RED}nothing new for 5 min, 4 symbols followed", "Tue 11:00 Feed: well again"],
        dead=[("Mon 10:10", "Tue 11:00")],
    ),
    "an outage during which the producer is restarted in vain": Case(
        [f"Mon 10:14 {RED}nothing new for 5 min, 4 symbols followed", "Tue 11:00 Feed: well again"],
        dead=[("Mon 10:10", "Tue 11:00")],
        started=["Mon 11:00", "Mon 18:00", "Tue 09:32"],
    ),
    "a producer that is restarted again and again without a quote": Case(
        [f"Mon 09:36 {RED}no quote for 6 min though the producer was restarted"],
        dead=[WEEKEND],
        started=[f"Mon 09:{minute:02}" for minute in range(30, 60)],
    ),
    "the producer is restarted during an outage and sends Friday's close once more": Case(
        [f"Mon 09:35 {RED}nothing new for 2 d 17 h, 4 symbols followed", "Mon 12:00 Feed: well again"],
        dead=[("Fri 16:00", "Mon 12:00")],
        started=["Mon 10:40"],
    ),
    "the producer's clock is ahead": Case([], ahead=10 * MINUTE),
    "the feed dies while the producer's clock is ahead": Case(
        [
            f"Mon 10:24 {RED}nothing new for 5 min, 4 symbols followed; the producer's clock is 10 min ahead",
            "Mon 11:00 Feed: well again",
        ],
        dead=[("Mon 10:10", "Mon 11:00")],
        ahead=10 * MINUTE,
    ),
    "the producer hangs on Saturday and is started on Monday": Case(
        [f"Sat 12:02 {RED}the producer (yahoo) has said nothing for 3 min", "Mon 09:30 Feed: well again"],
        hung=[("Sat 12:00", "Mon 08:00")],
        started=["Mon 08:00"],
    ),
    "the producer hangs in session": Case(
        [f"Mon 11:02 {RED}the producer (yahoo) has said nothing for 3 min", "Mon 11:30 Feed: well again"],
        hung=[("Mon 11:00", "Mon 11:30")],
        dead=[("Mon 11:00", "Mon 11:30")],
    ),
    "the source cannot be reached from Saturday on": Case(
        [f"Mon 09:32 {RED}nothing new for 2 d 17 h, 4 symbols followed; the producer says: Yahoo cannot be reached"],
        dead=[WEEKEND],
        troubled=[("Sat 03:00", "Tue 12:00")],
    ),
    "one poll fails": Case([], troubled=[("Mon 11:00", "Mon 11:01")]),
    "the source cannot be reached over the weekend only": Case([], troubled=[("Sat 03:00", "Sun 15:00")]),
    "a socket stays open and mute": Case(
        [f"Mon 09:35 {RED}nothing new for 2 d 17 h, 4 symbols followed"], source="yahoo-stream", dead=[WEEKEND]
    ),
    "a symbol is taken out of the list": Case(
        [], lists=[("Mon 08:00", ["AAPL", "KO", "MSFT"])], silent={"XOM": [WEEKEND]}
    ),
    "a silent symbol is taken out of the list": Case(
        ["Mon 09:35 Feed: XOM silent"], lists=[("Mon 10:00", ["AAPL", "KO", "MSFT"])], silent={"XOM": [WEEKEND]}
    ),
    "a symbol is added in session": Case([], lists=[("Mon 11:00", ["AAPL", "KO", "MSFT", "XOM", "NEW"])]),
    "a misspelt symbol is added in session": Case(
        ["Mon 11:05 Feed: BRK.B silent"],
        lists=[("Mon 11:00", ["AAPL", "KO", "MSFT", "XOM", "BRK.B"])],
        silent={"BRK.B": [NEVER]},
    ),
    "a symbol is halted twice a day": Case(
        ["Mon 10:04 Feed: KO silent"],
        silent={"KO": [("Mon 10:00", "Mon 10:30"), ("Mon 14:00", "Mon 14:40"), ("Tue 10:00", "Tue 10:30")]},
    ),
    "a thin symbol that dies is missed all the same": Case(
        ["Mon 10:04 Feed: KO silent", "Mon 13:59 Feed: KO silent"],
        silent={"KO": [("Mon 10:00", "Mon 10:30"), ("Mon 11:00", "Tue 12:00")]},
    ),
    "two of seven trade once an hour in the same minute": Case(
        ["Fri 12:05 Feed: KO, XOM silent"],
        symbols=("A", "B", "C", "D", "E", "KO", "XOM"),
        silent={"KO": HOURLY, "XOM": HOURLY},
    ),
    "more and more of a small list trade seldom": Case(
        ["Mon 10:04 Feed: B, C silent", "Mon 10:54 Feed: D, E silent", "Mon 11:44 Feed: F, G silent"],
        symbols="ABCDEFG",
        silent={
            "B": [("Mon 10:00", "Mon 10:40"), ("Tue 10:00", "Tue 11:00")],
            "C": [("Mon 10:00", "Mon 10:40"), ("Tue 10:00", "Tue 11:00")],
            "D": [("Mon 10:50", "Mon 11:30"), ("Tue 10:00", "Tue 11:00")],
            "E": [("Mon 10:50", "Mon 11:30"), ("Tue 10:00", "Tue 11:00")],
            "F": [("Mon 11:40", "Mon 12:20"), ("Tue 10:00", "Tue 11:00")],
            "G": [("Mon 11:40", "Mon 12:20"), ("Tue 10:00", "Tue 11:00")],
        },
    ),
    "an outage teaches nothing": Case(
        [
            "Mon 10:04 Feed: KO silent",
            f"Mon 10:14 {RED}nothing new for 5 min, 4 symbols followed",
            "Mon 11:00 Feed: well again",
            "Mon 14:04 Feed: KO silent",
        ],
        dead=[("Mon 10:10", "Mon 11:00")],
        silent={"KO": [("Mon 10:00", "Mon 11:00"), ("Mon 14:00", "Mon 14:30")]},
    ),
    "a symbol trades twice a day": Case(
        ["Mon 09:35 Feed: KO silent", "Mon 12:40 Feed: KO silent"],
        silent={
            "KO": [
                ("Mon 09:30", "Mon 09:40"),
                ("Mon 09:41", "Mon 12:50"),
                ("Mon 12:51", "Tue 09:30"),
                ("Tue 09:31", "Tue 12:00"),
            ]
        },
    ),
    "one after the other falls silent": Case(
        ["Mon 10:04 Feed: AAPL silent", "Mon 10:34 Feed: KO, MSFT silent"],
        symbols=(*"ABCDEFGH", "AAPL", "KO", "MSFT"),
        silent={
            "AAPL": [("Mon 10:00", "Tue 12:00")],
            "KO": [("Mon 10:10", "Tue 12:00")],
            "MSFT": [("Mon 10:20", "Tue 12:00")],
        },
    ),
    "the simulated market dies on Saturday night": Case(
        [f"Sat 03:00 {RED}nothing new for 1 min, 4 symbols followed", "Sun 04:00 Feed: well again"],
        source="simulated",
        dead=[("Sat 03:00", "Sun 04:00")],
    ),
    "the simulated market is restarted each day": Case([], source="simulated", started=["Sat 09:00", "Sun 09:00"]),
    "the last subscriber leaves": Case(
        [
            "Sun 14:00 Feed: alerts red - nobody gets them any more; 0 sent in the last hour, 0 in the last 24 h",
            "Mon 08:00 Feed: well again",
        ],
        subscribers=[("Fri 12:00", 1), ("Sun 14:00", 0), ("Mon 08:00", 2), ("Mon 09:00", 1)],
    ),
    "nobody ever subscribes": Case([], subscribers=[("Fri 12:00", 0)]),
    "a batch is given up": Case(
        ["Mon 11:00 Feed: dead letters red - 1 batches were given up", "Mon 12:00 Feed: well again"],
        dead_letters=[("Mon 11:00", "Mon 12:00")],
    ),
    "a batch is given up during an outage": Case(
        [
            f"Mon 10:14 {RED}nothing new for 5 min, 4 symbols followed",
            "Mon 11:00 Feed: dead letters red - 1 batches were given up",
            "Mon 12:00 Feed: quotes well again",
            "Mon 13:00 Feed: well again",
        ],
        dead=[("Mon 10:10", "Mon 12:00")],
        dead_letters=[("Mon 11:00", "Mon 13:00")],
    ),
    "nothing can be read for an hour": Case([], unread=[("Mon 11:00", "Mon 12:00")]),
    "nothing can be read while an outage goes on": Case(
        [f"Mon 10:14 {RED}nothing new for 5 min, 4 symbols followed", "Mon 14:00 Feed: well again"],
        dead=[("Mon 10:10", "Mon 14:00")],
        unread=[("Mon 11:00", "Mon 12:00")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_messages_are_exactly_those_that_a_person_wants(name: str) -> None:
    case = CASES[name]
    assert list(told(case, [lambda _: True])) == list(case.wanted)


@pytest.mark.parametrize(
    "name",
    [
        "one symbol does not come back on Monday",
        "the producer hangs in session",
        "a batch is given up during an outage",
        "one after the other falls silent",
    ],
)
def test_two_that_watch_tell_what_one_does(name: str) -> None:
    """The function each minute; the DAG each five minutes of a session."""
    case = CASES[name]

    def dag(now: datetime) -> bool:
        return now.minute % 5 == 0 and is_session(now)

    assert list(told(case, [dag, lambda _: True])) == list(case.wanted)


def test_the_dag_alone_tells_of_a_lost_feed_within_six_minutes_of_the_open() -> None:
    case = CASES["the feed does not come back on Monday"]
    assert list(told(case, [lambda now: now.minute % 5 == 0])) == list(case.wanted)


def test_a_symbol_that_fell_silent_untold_is_told_when_a_week_has_passed() -> None:
    world = World(Case([], silent={"KO": [("Mon 10:00", "Tue 12:00")]}))
    monday = world.moment("Mon 15:00")
    memory = Memory(missed={"KO": Missed(world.moment("Mon 13:00"), True)}, told_again={"KO": monday})

    for now, subject in ((monday - MINUTE, None), (monday, "Feed: KO silent"), (monday + MINUTE, None)):
        readings = world.readings(now, memory)
        memory, message = look(memory, readings, judge(readings))
        assert (message.subject if message else None) == subject


def test_the_end_of_the_table_of_trading_days_is_told_once_whatever_another_watch_has() -> None:
    world = World(Case([]))
    readings = world.readings(world.moment("Mon 12:00"), Memory())
    lights = judge(readings)

    def ending(year: int) -> list[Light]:
        return [*lights, Light("calendar", Colour.RED, f"the table ends in {year}", "Make it longer.")]

    memory, subjects = Memory(), []
    for found in (ending(2032), lights, ending(2032), lights, ending(2042), ending(2042)):
        memory, message = look(Memory.from_json(memory.to_json()), readings, found)
        subjects.append(message.subject if message else None)

    first, other = (f"Feed: calendar red - the table ends in {year}" for year in (2032, 2042))
    assert subjects == [first, None, None, None, other, None]


def test_a_table_that_ends_is_not_named_when_all_else_is_well_again() -> None:
    world = World(Case([]))
    readings = world.readings(world.moment("Mon 12:00"), Memory())

    _, message = look(Memory(red={"calendar": "", "quotes": ""}), readings, judge(readings))

    assert message is not None
    assert message.subject == "Feed: well again"
    assert "Still red" not in message.text


@pytest.mark.parametrize(
    "text",
    [
        "alarm, iterator age of processor, quotes, rejects",
        '{"red":{"alarm":"","quotes":"","rejects":""},"missed":{},"thin_until":{},"had_subscribers":true,'
        '"symbols_from":null,"waiting_since":null}',
    ],
)
def test_of_what_an_older_version_told_nothing_stays_red_that_alarms_tell_now(text: str) -> None:
    assert list(Memory.from_json(text).red) == ["quotes"]


def told(case: Case, watchers: Sequence[Callable[[datetime], bool]]) -> Iterator[str]:
    """Yield each message with its time; the watchers that look in the same minute do so one after the other."""
    world = World(case)
    memory = Memory()
    for now in world.minutes():
        for looks in watchers:
            if looks(now):
                # What is remembered goes through its text, as between two looks of two programs.
                memory = Memory.from_json(memory.to_json())
                readings = world.readings(now, memory)
                memory, message = look(memory, readings, judge(readings))
                if message:
                    yield f"{now.astimezone(NEW_YORK):%a %H:%M} {message.subject}"


def is_session(now: datetime) -> bool:
    hours = trading_hours.latest(now)
    return bool(hours and hours.are_at(now))


class World:
    """Quotes each minute in session for each symbol that is followed, but for what goes wrong."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.friday = datetime.fromisoformat(case.friday)
        self.heard: dict[str, NewestQuote] = {}
        self.read_to = self.moment("Fri 11:00")
        self.said_at = self.read_to

    @cache  # noqa: B019 - as short-lived as the world
    def moment(self, text: str) -> datetime:
        day, clock = text.split()
        days = ("Fri", "Sat", "Sun", "Mon", "Tue").index(day)
        at = datetime.combine(self.friday.date() + timedelta(days=days), datetime.strptime(clock, "%H:%M").time())
        return at.replace(tzinfo=NEW_YORK).astimezone(UTC)

    def minutes(self) -> Iterator[datetime]:
        """Yield every minute, but each tenth alone of a night in which nothing begins or ends."""
        case, around = self.case, 15 * MINUTE
        spans = [*case.dead, *case.hung, *case.troubled, *case.dead_letters, *case.unread]
        texts = [*(text for span in spans for text in span), *case.started]
        texts += [text for text, _ in (*case.lists, *case.subscribers)]
        busy = [(self.moment(text), self.moment(text) + around) for text in texts]
        sessions = [trading_hours.on(self.friday.date() + timedelta(days=days)) for days in (0, 3, 4)]
        busy += [(hours.opens_at - around, hours.closes_at + around) for hours in sessions if hours]
        now = self.moment("Fri 12:00")
        while now < self.moment("Tue 12:00"):
            if now.minute % 10 == 0 or any(first <= now < last for first, last in busy):
                yield now
            now += MINUTE

    def within(self, now: datetime, spans: Sequence[Span]) -> bool:
        return any(self.moment(first) <= now < self.moment(last) for first, last in spans)

    def latest(self, now: datetime, changes: Sequence[tuple[str, object]]) -> list[object]:
        return [value for text, value in changes if self.moment(text) <= now]

    def readings(self, now: datetime, memory: Memory) -> Readings:
        case = self.case
        while self.read_to <= now:
            self._quotes_of(self.read_to)
            self.read_to += MINUTE
        starts = [self.moment("Fri 09:00"), *(self.moment(text) for text in case.started)]
        starts += [self.moment(text) for text, _ in case.lists]
        subscribers = self.latest(now, case.subscribers) or [1]
        followed = Followed(
            case.source,
            tuple(self._symbols(now)),
            5.0 if case.source == "simulated" else 30.0,
            max(start for start in starts if start <= now),
            self.said_at + case.ahead,
            "Yahoo cannot be reached" if self.within(now, case.troubled) else "",
        )
        reading = Readings(
            at=now,
            parts=[],
            hours=trading_hours.latest(now),
            followed=followed,
            newest=list(self.heard.values()),
            thin=memory.thin(now),
            dead_letters=int(self.within(now, case.dead_letters)),
            subscribers=int(str(subscribers[-1])),
            had_subscribers=memory.had_subscribers,
        )
        if self.within(now, case.unread):
            unread = dict.fromkeys(["states", "rejects", "dead letters", "subscribers"], "AccessDenied")
            return replace(reading, followed=None, newest=[], subscribers=0, dead_letters=0, unread=unread)
        return reading

    def _symbols(self, now: datetime) -> Sequence[str]:
        return [self.case.symbols, *self.latest(now, self.case.lists)][-1]  # type: ignore[return-value]

    def _quotes_of(self, at: datetime) -> None:
        case = self.case
        if not self.within(at, case.hung):
            self.said_at = at
        hours = trading_hours.latest(at)
        if at in [self.moment(text) for text in case.started]:
            self._last_of_all(at)
        if case.source != "simulated" and not (hours and hours.are_at(at)):
            return
        if self.within(at, [*case.dead, *case.hung]):
            return
        stamp, got = write_timestamp(at), write_timestamp(at + case.ahead)
        for symbol in self._symbols(at):
            if not self.within(at, case.silent.get(symbol, ())):
                self.heard[symbol] = NewestQuote(symbol, stamp, "100", "0", case.source, got)

    def _last_of_all(self, at: datetime) -> None:
        """A producer that starts sends the last quote of each symbol: that of the close, which no poll had got."""
        hours = trading_hours.latest(at)
        if hours and hours.are_at(at):
            hours = trading_hours.latest(hours.opens_at - MINUTE)
        if hours and self.case.source != "simulated":
            close, got = write_timestamp(hours.closes_at), write_timestamp(at + self.case.ahead)
            for symbol, quote in self.heard.items():
                if quote.timestamp < close:
                    self.heard[symbol] = replace(quote, timestamp=close, ingested_at=got)
