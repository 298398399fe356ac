"""When runs are due, by the calendar that the New York Stock Exchange publishes: holidays, half days, clock changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pendulum
import pytest

logging.getLogger("airflow").setLevel(logging.ERROR)

from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError  # noqa: E402
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction  # noqa: E402

from tapeline.airflow.timetables import (  # noqa: E402
    TradingHoursTimetable,
    TradingSessionMapper,
    TradingSessionTimetable,
    TradingWeekMapper,
)
from tapeline.market.sessions import NotASessionError  # noqa: E402
from tapeline.timetables import TradingWeekWindow  # noqa: E402

START = pendulum.datetime(2025, 1, 1, tz="America/New_York")
FROM_START = TimeRestriction(START, None, catchup=False)


SetClock = Callable[[str], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Set the clock that the timetables read."""

    def set_clock(moment: str) -> None:
        monkeypatch.setattr("tapeline.airflow.timetables.pendulum.now", lambda _: pendulum.parse(moment))

    return set_clock


def backfilled(first: datetime, last: datetime, timetable: TradingSessionTimetable) -> list[DagRunInfo]:
    return list(timetable.iter_partition_dagrun_infos(earliest=first, latest=last))


def new_york(moment: pendulum.DateTime) -> str:
    return moment.in_timezone("America/New_York").format("YYYY-MM-DD HH:mm")


def test_a_backfill_over_thanksgiving_has_seven_runs_and_the_friday_closes_at_one() -> None:
    runs = backfilled(
        datetime(2025, 11, 24, tzinfo=UTC),
        datetime(2025, 12, 3, tzinfo=UTC),
        TradingSessionTimetable(delay=timedelta()),
    )
    assert [(run.partition_key, new_york(run.run_after)) for run in runs] == [
        ("2025-11-24", "2025-11-24 16:00"),
        ("2025-11-25", "2025-11-25 16:00"),
        ("2025-11-26", "2025-11-26 16:00"),
        ("2025-11-28", "2025-11-28 13:00"),
        ("2025-12-01", "2025-12-01 16:00"),
        ("2025-12-02", "2025-12-02 16:00"),
        ("2025-12-03", "2025-12-03 16:00"),
    ]
    assert all(run.data_interval is None for run in runs)  # two runs of one session may stand side by side


def test_the_delay_counts_from_the_close_and_the_clock_change_moves_it_in_utc() -> None:
    runs = backfilled(datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC), TradingSessionTimetable())
    assert [run.run_after.isoformat() for run in runs] == ["2026-03-06T21:30:00+00:00", "2026-03-09T20:30:00+00:00"]


def test_a_bound_given_as_midnight_in_utc_means_that_day_in_new_york() -> None:
    day = datetime(2025, 11, 26, tzinfo=UTC)
    (run,) = backfilled(day, day, TradingSessionTimetable())
    assert run.partition_key == "2025-11-26"
    assert run.partition_date is not None
    assert new_york(run.partition_date) == "2025-11-26 00:00"


def test_a_backfill_has_no_run_for_a_session_that_has_not_ended(at: SetClock) -> None:
    at("2025-11-26T21:29:00Z")
    runs = backfilled(datetime(2025, 11, 25, tzinfo=UTC), datetime(2025, 12, 3, tzinfo=UTC), TradingSessionTimetable())
    assert [run.partition_key for run in runs] == ["2025-11-25"]


def test_another_exchange_has_its_own_sessions() -> None:
    london = TradingSessionTimetable("XLON", timedelta())
    runs = backfilled(datetime(2025, 8, 22, tzinfo=UTC), datetime(2025, 8, 26, tzinfo=UTC), london)
    # 2025-08-25 is the Summer Bank Holiday; London closes at 16:30 BST.
    assert [(run.partition_key, run.run_after.isoformat()) for run in runs] == [
        ("2025-08-22", "2025-08-22T15:30:00+00:00"),
        ("2025-08-26", "2025-08-26T15:30:00+00:00"),
    ]


def test_the_first_run_is_that_of_the_newest_session_that_is_due(at: SetClock) -> None:
    at("2025-11-30T12:00:00Z")
    timetable = TradingSessionTimetable()
    first = timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=FROM_START)
    assert first is not None
    assert first.partition_key == "2025-11-28"
    following = timetable.next_dagrun_info_v2(last_dagrun_info=first, restriction=FROM_START)
    assert following is not None
    assert (following.partition_key, following.run_after.isoformat()) == ("2025-12-01", "2025-12-01T21:30:00+00:00")


def test_without_catchup_sessions_missed_meanwhile_are_left_to_a_backfill(at: SetClock) -> None:
    timetable = TradingSessionTimetable()
    (last,) = backfilled(datetime(2025, 11, 3, tzinfo=UTC), datetime(2025, 11, 3, tzinfo=UTC), timetable)
    at("2025-11-30T12:00:00Z")
    found = timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=FROM_START)
    assert found is not None
    assert found.partition_key == "2025-11-28"
    with_catchup = timetable.next_dagrun_info_v2(
        last_dagrun_info=last, restriction=TimeRestriction(START, None, catchup=True)
    )
    assert with_catchup is not None
    assert with_catchup.partition_key == "2025-11-04"


def test_after_the_end_date_and_without_a_start_date_nothing_is_scheduled(at: SetClock) -> None:
    at("2025-11-30T12:00:00Z")
    timetable = TradingSessionTimetable()
    ended = TimeRestriction(START, pendulum.datetime(2025, 11, 27, tz="America/New_York"), catchup=False)
    assert timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=ended) is None
    assert timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=TimeRestriction(None, None, False)) is None


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("2025-11-27", "does not trade on 2025-11-27"),
        ("yesterday", "such as 2026-03-13, the newest that has ended; found 'yesterday'"),
        ("20251128", "such as"),
    ],
)
def test_a_key_that_names_no_session_is_refused(key: str, complaint: str, at: SetClock) -> None:
    at("2026-03-15T12:00:00Z")
    with pytest.raises(InvalidPartitionKeyError, match=complaint):
        TradingSessionTimetable().resolve_partition_date(key)
    with pytest.raises(NotASessionError, match=complaint):
        TradingSessionMapper().to_downstream(key)


def test_the_week_of_a_day_is_named_by_its_monday_and_one_without_a_session_is_refused() -> None:
    weeks = TradingWeekMapper.deserialize(TradingWeekMapper().serialize())
    assert [weeks.to_downstream(f"2025-11-{day}") for day in (24, 27, 30)] == ["2025-11-24"] * 3
    assert weeks.to_partition_date("2025-11-24").isoformat() == "2025-11-24T00:00:00-05:00"
    with pytest.raises(NotASessionError, match="XTKS does not trade in the week of 2019-05-01"):  # Golden Week
        TradingWeekMapper("XTKS").to_downstream("2019-05-01")


@pytest.mark.parametrize(
    "timetable",
    [
        TradingSessionTimetable("XLON", timedelta(minutes=45)),
        TradingHoursTimetable(timedelta(hours=1), after_close=timedelta(minutes=15)),
        TradingHoursTimetable(timedelta(minutes=5), "XTKS"),
        TradingHoursTimetable(None, after_close=timedelta(minutes=15)),
    ],
)
def test_a_timetable_comes_back_from_the_database_as_it_was(timetable: TradingSessionTimetable) -> None:
    found = type(timetable).deserialize(timetable.serialize())
    assert (vars(found), found.summary) == (vars(timetable), timetable.summary)


def test_the_ui_says_in_words_when_a_dag_runs() -> None:
    assert TradingSessionTimetable().summary == "XNYS close + 30 min"
    assert TradingSessionTimetable().description.startswith("30 min after the close of each XNYS session")
    hourly = TradingHoursTimetable(timedelta(hours=1), after_close=timedelta(minutes=15))
    assert hourly.description == "Every 1 h while XNYS is open, and 15 min after the close; none on holidays"
    once = TradingHoursTimetable(None, after_close=timedelta(minutes=15))
    assert once.description == "15 min after the close of each XNYS session; none on holidays"
    assert once.summary == "XNYS close + 15 min"


def test_what_can_be_no_exchange_or_pace_is_refused_when_the_dag_is_read() -> None:
    with pytest.raises(AirflowTimetableInvalid, match="'New York'"):
        TradingSessionTimetable("New York").validate()
    with pytest.raises(AirflowTimetableInvalid, match="a minute or more"):
        TradingHoursTimetable(timedelta(seconds=1)).validate()
    with pytest.raises(AirflowTimetableInvalid, match="found neither"):
        TradingHoursTimetable(None).validate()


def test_trading_hours_end_at_one_on_a_half_day_and_skip_the_weekend(at: SetClock) -> None:
    at("2025-11-28T15:00:00Z")
    timetable = TradingHoursTimetable(timedelta(hours=1), after_close=timedelta(minutes=15))
    interval: DataInterval | None = None
    found = []
    for _ in range(6):
        run = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=FROM_START)
        assert run is not None
        interval = run.data_interval
        found.append(new_york(run.run_after))
    assert found == [
        "2025-11-28 09:30",
        "2025-11-28 10:30",
        "2025-11-28 11:30",
        "2025-11-28 12:30",
        "2025-11-28 13:15",
        "2025-12-01 09:30",
    ]


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2025-11-28T15:00:00Z", "2025-11-26 16:15"),  # in session: what was missed is the day before the holiday
        ("2025-11-28T18:15:00Z", "2025-11-28 13:15"),
        ("2025-11-30T15:00:00Z", "2025-11-28 13:15"),
    ],
)
def test_once_after_the_close_is_made_up_for_once_and_comes_once_a_session(at: SetClock, now: str, first: str) -> None:
    at(now)
    timetable = TradingHoursTimetable(None, after_close=timedelta(minutes=15))
    missed = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=FROM_START)
    assert missed is not None
    assert new_york(missed.run_after) == first
    following = timetable.next_dagrun_info(last_automated_data_interval=missed.data_interval, restriction=FROM_START)
    assert following is not None
    assert new_york(following.run_after) == ("2025-11-28 13:15" if first < "2025-11-28" else "2025-12-01 16:15")


def test_of_the_moments_missed_in_trading_hours_only_the_newest_is_run(at: SetClock) -> None:
    at("2025-11-30T15:00:00Z")
    timetable = TradingHoursTimetable(timedelta(minutes=5))
    run = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=FROM_START)
    assert run is not None
    assert new_york(run.run_after) == "2025-11-28 13:00"


@pytest.mark.parametrize(
    ("monday", "days"),
    [
        (pendulum.datetime(2025, 11, 24, tz="America/New_York"), [24, 25, 26, 28]),
        (pendulum.datetime(2025, 12, 1, tz="America/New_York"), [1, 2, 3, 4, 5]),
        (pendulum.datetime(2026, 3, 2, tz="America/New_York"), [2, 3, 4, 5, 6]),  # the clocks change on its Sunday
    ],
)
def test_a_trading_week_has_its_sessions_and_no_holiday(monday: pendulum.DateTime, days: list[int]) -> None:
    window = TradingWeekWindow.deserialize(TradingWeekWindow().serialize())
    assert [day.day for day in window.to_upstream(monday)] == days
