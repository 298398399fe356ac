"""What the desk's server answers: one model for each document.

The page's types (static/answers.d.ts) and the server of the page's tests are made from these.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

Point = tuple[int, float]
"""Seconds since 1970 and a price in USD."""

Candle = tuple[int, float, float, float, float, int, int]
"""Seconds since 1970; open, high, low and close in USD; shares; quotes."""

State = Literal["ok", "idle", "unknown", "warn", "bad"]
"""A light's: idle is nothing to judge, unknown what could not be judged."""

Tone = Literal["up", "down", "warning", "plain"]


class Answer(BaseModel):
    """A document of JSON, or a part of one. Moments are texts in UTC such as ``2026-03-12T14:30:00Z``."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)


class Me(Answer):
    """Who is looking."""

    user: str
    may_trigger: bool


class LastAlert(Answer):
    """The newest alert of a symbol."""

    kind: str
    timestamp: str


class Quote(Answer):
    """The newest quote of a symbol with its figures, as the stream processor keeps it, and its session's course.

    A document of changes has `spark` only where it grew.
    """

    symbol: str
    timestamp: str
    ingested_at: str
    source: str
    open: float
    high: float
    low: float
    price: float
    previous_close: float
    volume: int
    change: float | None
    change_percent: float | None
    moving_average: float | None
    moving_average_5: float | None
    trend: str | None
    reasons: list[str]
    suspect: list[str]
    revision: int
    last_alert: LastAlert | None
    anomaly: bool
    spark: list[Point] | None = None


class KindWords(Answer):
    """What the page writes of a kind of alert, and how it colours it."""

    mark: str
    label: str
    tone: Tone


class Words(Answer):
    """Names of the stream in words: kinds of alert, figures of a quote, and reasons to doubt one."""

    kinds: dict[str, KindWords]
    figures: dict[str, str]
    reasons: dict[str, str]


class Quotes(Answer):
    """All symbols, with the words for what they are marked with, or those that changed since a version."""

    version: int
    at: str
    simulated: bool
    words: Words | None = None
    symbols: list[Quote]


class PipelineLight(Answer):
    """A light: how a part of the pipeline does, what to do about it, and the DAG that does it."""

    name: str
    label: str
    state: State
    value: str
    detail: str
    todo: str | None = None
    dag_id: str | None = None


class Health(Answer):
    """The lights, and the DAGs: those of the pipeline, and those that the desk can start."""

    at: str
    lights: list[PipelineLight]
    quotes_per_second: float | None = None
    latency_seconds: float | None = None
    market_open: bool | None = None
    rejected_last_day: dict[str, int] = Field(default_factory=dict)
    dags: tuple[str, ...]
    triggers: tuple[str, ...]


class Mark(Answer):
    """Something that happened in a session, at a second since 1970; `label` is its kind in a word or two."""

    time: int
    kind: str
    label: str
    tone: Tone
    text: str


class Figures(Answer):
    """A session of a symbol in short, as the curated tables have it."""

    open_usd: float | None
    high_usd: float | None
    low_usd: float | None
    close_usd: float | None
    previous_close_usd: float | None
    change_usd: float | None
    change_pct: float | None
    vwap_usd: float | None
    volume_shares: int | None
    quotes: int | None
    completeness_pct: float | None


class Minutes(Answer):
    """The minutes of a session, and where they are from. Averages are of the last 20 and 5."""

    origin: Literal["dynamodb", "minute_bars"] = Field(
        validation_alias=AliasChoices("from", "origin"), serialization_alias="from"
    )
    complete: bool
    averages_over: Literal["quotes", "minutes"]
    previous_close: float | None
    figures: Figures | None
    candles: list[Candle]
    moving_average: list[Point]
    moving_average_5: list[Point]
    marks: list[Mark]


class SessionDetail(Minutes):
    """A session of a symbol: its minutes, its hours, and the symbols that its rollup left out, with the reasons."""

    symbol: str
    session: str
    today: str | None
    left_out: dict[str, str]
    opens_at: str | None
    closes_at: str | None


class Sessions(Answer):
    """The dates of which a symbol has quotes, the newest first, and the newest by itself."""

    today: str | None
    sessions: list[str]


class Reject(Answer):
    """A record that was no quote; `payload` is text, in base64 if `binary`, and `symbol` its partition key."""

    reason: str
    detail: str
    payload: str
    truncated: bool
    binary: bool
    arrived_at: str
    sequence_number: str
    shard_id: str
    symbol: str


class Rejects(Answer):
    """The newest rejects, counted by reason; whether there are more."""

    reasons: dict[str, int]
    more: bool
    rejects: list[Reject]


class Report(Answer):
    """A stored report, and where the page finds it."""

    name: str
    kind: str
    session: str
    title: str
    href: str


class Reports(Answer):
    """The stored reports, the newest first."""

    reports: list[Report]


class Started(Answer):
    """A run that was started, and its page in Airflow."""

    dag_id: str
    run_id: str
    dry_run: bool
    href: str
