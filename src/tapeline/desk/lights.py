"""The pipeline's health as lights, each that is not green with what to do and the DAG that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import replace
from datetime import date, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.aws.deployment import Deployment
from tapeline.aws.local import files
from tapeline.aws.printable import printable
from tapeline.desk import lake
from tapeline.desk.access import Run
from tapeline.desk.history import left_out
from tapeline.desk.memo import Memo
from tapeline.desk.models import Health, PipelineLight, Report, State
from tapeline.lake.partitions import date_folders, registered
from tapeline.market import sessions, trading_hours
from tapeline.market.dates import trading_date
from tapeline.market.durations import words
from tapeline.market.quotes import write_timestamp
from tapeline.market.suspicion_words import verdict_words
from tapeline.operations.feed_signs import NewestQuote
from tapeline.operations.health import Readings, judge_by_group, unjudged
from tapeline.operations.light import Colour, Light
from tapeline.operations.readings import read_readings
from tapeline.stream.keys import RAW_PREFIX

DAGS = tuple(sorted(path.stem for path in files("dags").glob("*.py")))
"""Every file of the folder is a DAG of its name, which a test checks; whoever adds one adds it there alone."""

ROLLED_UP_AFTER = timedelta(minutes=75)
"""After the close: daily_rollup begins after 30 minutes and is late after 45 more."""

LIGHTS_SECONDS, LAKE_SECONDS = 5.0, 60.0
"""How long lights are good, and what is read of bucket and catalog for them."""

_STATES: dict[Colour, State] = {
    Colour.GREEN: "ok",
    Colour.GREY: "idle",
    Colour.UNJUDGED: "unknown",
    Colour.YELLOW: "warn",
    Colour.RED: "bad",
}
"""What the page calls them, the worst last: idle is nothing to judge, unknown what could not be judged."""

_MANY = ("parts", "iterator_age", "alarms")
"""Groups of `tapeline status` that are one light here."""

_LABELS = {
    "parts": ("Stream and functions", "feed_watchdog"),
    "quotes": ("Quotes", "feed_watchdog"),
    "latency": ("Latency", "feed_watchdog"),
    "iterator_age": ("Iterator age", "feed_watchdog"),
    "rejects": ("Rejects", "redrive_rejected"),
    "dead_letters": ("Dead letters", "redrive_rejected"),
    "alerts": ("Alerts", None),
    "rules": ("Rules", "daily_rollup"),
    "alarms": ("Alarms", "feed_watchdog"),
    "calendar": ("Trading days", None),
    "partitions": ("Partitions", "repair_partitions"),
    "rollup": ("Last rollup", "daily_rollup"),
    "report": ("Last report", "anomaly_report"),
}
"""What the page calls each light, and the DAG that helps."""

MOST_NAMED = 5
"""Symbols that a light names."""


class Lights:
    """The lights of one deployment, read at most every five seconds however many ask.

    `last_runs` gives the last ends of a DAG's runs, the newest first; `triggers` are the DAGs that the desk can start.
    """

    def __init__(
        self,
        deployment: Callable[[], Deployment],
        last_runs: Callable[[str], list[Run]],
        triggers: Sequence[str],
        now: Callable[[], datetime],
    ) -> None:
        self._deployment = deployment
        self._last_runs = last_runs
        self._triggers = tuple(triggers)
        self._now = now
        self._lights: Memo[Health] = Memo(LIGHTS_SECONDS)
        self._days: Memo[tuple[list[date], set[date]]] = Memo(LAKE_SECONDS)
        self._left_out: Memo[dict[str, str]] = Memo(LAKE_SECONDS)
        self._reports: Memo[list[Report]] = Memo(LAKE_SECONDS)

    def document(self) -> Health:
        """Return the document that the page and the strip show."""
        return self._lights.get(None, self._look)

    def unknown(self, reason: str) -> Health:
        """Return the document that says of every light that it cannot be judged, and why."""
        lights = [
            PipelineLight(name=name, label=label, state="unknown", value="–", detail=reason)
            for name, (label, _) in _LABELS.items()
            if name not in ("rules", "alarms", "calendar")
        ]
        return Health(at=write_timestamp(self._now()), lights=lights, dags=DAGS, triggers=self._triggers)

    def due_session(self) -> str:
        """Return the newest session that should be rolled up by now."""
        moment = self._now() - ROLLED_UP_AFTER
        hours = trading_hours.latest(moment)
        if hours is not None and hours.closes_at > moment:
            hours = trading_hours.latest(hours.opens_at - timedelta(seconds=1))
        # Past the end of the quick table the calendar answers.
        return trading_date(hours.opens_at).isoformat() if hours else sessions.ended_session(moment).key

    def _look(self) -> Health:
        deployment, now = self._deployment(), self._now()
        readings = read_readings(deployment, parts=[], now=now)
        lights = [
            *_of_feed(readings),
            _of_lake("partitions", lambda: _partitions(*self._days_of(deployment), trading_date(now))),
            _of_lake("rollup", lambda: self._rollup(deployment)),
            _of_lake("report", lambda: self._report(deployment)),
        ]
        return Health(
            at=write_timestamp(now),
            lights=[_shown(name, value, light) for name, value, light in lights],
            quotes_per_second=readings.quotes_per_second,
            latency_seconds=readings.latency_seconds,
            market_open=readings.market_open,
            rejected_last_day=readings.rejected_last_day,
            dags=DAGS,
            triggers=self._triggers,
        )

    def _days_of(self, deployment: Deployment) -> tuple[list[date], set[date]]:
        return self._days.get(None, lambda: _days(deployment))

    def _rollup(self, deployment: Deployment) -> tuple[str, Light]:
        present, _ = self._days_of(deployment)
        runs, due = self._last_runs("daily_rollup"), self.due_session()
        return _rollup(runs, due, present, lambda day: self._left_out.get(day, lambda: left_out(deployment, day)))

    def _report(self, deployment: Deployment) -> tuple[str, Light]:
        reports = self._reports.get(None, lambda: lake.reports(deployment))
        return _report(reports, self._last_runs("daily_rollup"))


def _of_lake(name: str, look: Callable[[], tuple[str, Light]]) -> tuple[str, str, Light]:
    """Return a light with its value; one that cannot be judged takes none of the others with it."""
    try:
        return name, *look()
    except (BotoCoreError, ClientError) as error:
        return name, "", unjudged(name, str(error))


def _days(deployment: Deployment) -> tuple[list[date], set[date]]:
    """Return the dates of the raw zone and those that the catalog knows."""
    return date_folders(deployment, RAW_PREFIX), set(map(date.fromisoformat, registered(deployment)))


def _of_feed(readings: Readings) -> list[tuple[str, str, Light]]:
    """Return what `tapeline status` shows, the many parts and the functions' ages as one light each."""
    groups = judge_by_group(readings)
    age = max((seconds for seconds in readings.iterator_age_seconds.values() if seconds is not None), default=None)
    rate, latency = readings.quotes_per_second, readings.latency_seconds
    hour = sum(readings.rejected_last_hour.values())
    up = sum(part.up for part in readings.parts)
    suspects = [quote for quote in readings.newest if quote.suspect]
    flow = f"{rate:,.1f} quotes/s" if rate else "–" if "metrics" in readings.unread else "none"
    values = {
        "parts": f"{up} of {len(groups['parts'])} up",
        "quotes": f"{flow}, {len(suspects)} suspect" if suspects else flow,
        "latency": "–" if latency is None else words(latency),
        "iterator_age": "–" if age is None else words(age),
        "rejects": f"{hour:,} in the last hour",
        "dead_letters": f"{readings.dead_letters:,}",
        "alerts": f"{readings.alerts_last_day:,} in 24 h",
        "rules": f"{readings.rules.enabled} on" if readings.rules else "–",
        "alarms": f"{len(readings.alarms)} ringing",
        "calendar": "they end soon",
    }
    groups["quotes"] = [_doubted(groups["quotes"][0], suspects)]
    return [(name, value, _worst(name, groups[name])) for name, value in values.items() if groups[name]]


def _doubted(light: Light, suspects: Sequence[NewestQuote]) -> Light:
    """Return the light of the quotes with the symbols of which figures are not believed now."""
    if not suspects:
        return light
    named = "; ".join(f"{quote.symbol} {verdict_words(quote.suspect)}" for quote in suspects[:MOST_NAMED])
    more = f" and {len(suspects) - MOST_NAMED} more symbols" if len(suspects) > MOST_NAMED else ""
    return replace(light, reading=f"{light.reading}; suspect: {named}{more}")


def _worst(group: str, lights: Sequence[Light]) -> Light:
    """Return a group as one light: of many as bad as the worst, with what those say that are as bad."""
    if group not in _MANY:
        return lights[0]
    worst = max((light.colour for light in lights), key=list(_STATES).index)
    if worst is Colour.GREEN and group == "parts":
        return Light(group, worst, "all are up")
    named = [light for light in lights if light.colour is worst]
    return Light(group, worst, "; ".join(f"{light.name}: {light.reading}" for light in named), named[0].next_step)


def _partitions(present: Sequence[date], registered: set[date], today: date) -> tuple[str, Light]:
    missing = [day for day in present if day not in registered]
    if old := [day for day in missing if day < today]:
        names = ", ".join(map(str, old[-5:]))
        text = f"the raw zone has days that the catalog does not know, so queries pass over them: {names}"
        step = "Run repair_partitions with dry run off; it registers them in seconds."
        return f"{len(old)} missing", Light("partitions", Colour.RED, text, step)
    text = "the catalog knows every day of the raw zone"
    if missing:
        text = "today's is registered by the next crawl, within the hour while the market is open"
    return _count(present, "day"), Light("partitions", Colour.GREEN, text)


def _rollup(
    runs: Sequence[Run], due: str, present: Iterable[date], ask_left_out: Callable[[str], dict[str, str]]
) -> tuple[str, Light]:
    good = max((run.partition_key for run in runs if run.state == "success" and run.partition_key), default="")
    value = good or "none"
    if good >= due:
        if not (without := ask_left_out(good)):
            return value, Light("rollup", Colour.GREEN, f"the session of {good} is rolled up")
        names = "; ".join(f"{symbol}: {reason}" for symbol, reason in list(without.items())[:MOST_NAMED])
        more = f" and {len(without) - MOST_NAMED} more" if len(without) > MOST_NAMED else ""
        symbols = _count(without, "symbol")
        text = f"the session of {good} is rolled up without {symbols}: {names}{more}"
        step = "The other symbols are published. Once the figures are right, run the session again; DAGs.md says how."
        return f"{value}, without {symbols}", Light("rollup", Colour.YELLOW, text, step)
    if date.fromisoformat(due) not in set(present):
        return value, Light("rollup", Colour.GREY, f"there are no quotes of {due}, the last session that has ended")
    failed = any(run.state == "failed" and run.partition_key == due for run in runs)
    text = f"the rollup of {due} {'failed' if failed else 'has not been done'}"
    step = "Look at the run of daily_rollup, fix what its log names, then run the session again (Trigger, Backfill)."
    return value, Light("rollup", Colour.RED, text, step)


def _report(reports: Sequence[Report], runs: Sequence[Run]) -> tuple[str, Light]:
    newest = max((report.session for report in reports if report.kind == "anomaly"), default="")
    ended = {run.partition_key: run.ended_at for run in runs if run.state == "success" and run.partition_key}
    rolled_up = max(ended, default="")
    value = newest or "none"
    if not newest and not rolled_up:
        return value, Light("report", Colour.GREY, "no session was rolled up yet")
    if newest >= rolled_up:
        return value, Light("report", Colour.GREEN, f"the report of {newest} is written")
    step = "It follows within minutes. If it does not, look at the run of anomaly_report."
    return value, Light("report", Colour.YELLOW, f"{rolled_up} is rolled up and has no report", step)


def _count(things: Sized, name: str) -> str:
    return f"1 {name}" if len(things) == 1 else f"{len(things)} {name}s"


def _shown(name: str, value: str, light: Light) -> PipelineLight:
    troubled = light.colour in (Colour.YELLOW, Colour.RED)
    judged = light.colour is not Colour.UNJUDGED
    detail = light.reading[:1].upper() + light.reading[1:]
    label, dag = _LABELS[name]
    return PipelineLight(
        name=name,
        label=label,
        state=_STATES[light.colour],
        value=value if judged or name == "quotes" else "–",  # the rate is known whoever should be heard
        detail=printable(f"{detail.rstrip('.')}."),  # Airflow's strip shows it as it is
        todo=light.next_step or None if troubled or not judged else None,
        dag_id=dag if troubled else None,
    )
