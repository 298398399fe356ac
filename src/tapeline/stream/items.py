"""The DynamoDB forms of an observation, of a symbol's state and of the memory of an alert."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

from tapeline.market.alerting.engine import NO_MEMORY, AlertMemory, Fired, RuleMemory
from tapeline.market.alerting.minutes import Minutes
from tapeline.market.quotes import PRICES, Quote, plain
from tapeline.market.suspicion import SuspectRun, SymbolMemory
from tapeline.market.symbol_state import Observation, SymbolState
from tapeline.stream.batch import Stored
from tapeline.stream.tables import Item

SYMBOL_PREFIX = "symbol#"
ALERT_PREFIX = "alert#"
FOLLOWED_KEY = "followed"
"""Key of the one item by which the producer says what it follows."""


def observation_to_item(observation: Observation, retention: timedelta, superseded: Sequence[str] = ()) -> Item:
    """Return the item of `stock-market-data`; it expires `retention` after the quote's arrival.

    The superseded versions are as `tapeline.stream.batch.version_to_json` writes them.
    """
    quote = observation.quote
    item: Item = {
        "symbol": {"S": quote.symbol},
        "timestamp": {"S": quote.timestamp},
        **{name: _number(getattr(quote, name)) for name in PRICES},
        "volume": {"N": str(quote.volume)},
        "change": _number_or_null(observation.change),
        "change_percent": _number_or_null(observation.change_percent),
        "moving_average": _number_or_null(observation.moving_average),
        "moving_average_5": _number_or_null(observation.moving_average_5),
        "anomaly": {"BOOL": bool(observation.anomaly_reasons)},
        "anomaly_reasons": _texts(observation.anomaly_reasons),
        "source": {"S": quote.source},
        "ingested_at": {"S": quote.ingested_at},
        "expires_at": {"N": str(int((observation.arrived_at + retention).timestamp()))},
    }
    if observation.trend:
        item["trend"] = {"S": observation.trend}
    if observation.alerts:
        item["alerts"] = {"SS": list(observation.alerts)}
    if observation.fired:
        item["fired"] = {"S": json.dumps([_fired_to_json(alert) for alert in observation.fired])}
    if observation.muted:
        item["muted"] = _texts(observation.muted)
    if observation.late:
        item["late"] = {"BOOL": True}
    if observation.suspect:
        item["suspect"] = _texts(observation.suspect)
    if quote.doubt:
        item["doubt"] = {"S": quote.doubt}
    if quote.revision:
        item["revision"] = {"N": str(quote.revision)}
    if superseded:
        item["superseded"] = _texts(superseded)
    return item


def _fired_to_json(alert: Fired) -> dict[str, Any]:
    rule = alert.rule
    return {
        "rule": rule.name,
        "condition": rule.when.word,
        "way": alert.way,
        "severity": rule.severity,
        "audience": rule.audience,
        "price": alert.price,
        "fact": alert.fact,
        "wish": rule.wish,
        "note": rule.note,
    }


def stored_from_item(item: Item) -> Stored:
    """Return the quote of an item with the alerts it raised and the versions it took the place of."""
    return Stored(
        quote=_quote_from_item(item),
        alerts=tuple(sorted(item["alerts"]["SS"])) if "alerts" in item else (),
        superseded=tuple(text["S"] for text in item["superseded"]["L"]) if "superseded" in item else (),
    )


def _quote_from_item(item: Item) -> Quote:
    return Quote(
        symbol=item["symbol"]["S"],
        timestamp=item["timestamp"]["S"],
        **{name: Decimal(item[name]["N"]) for name in PRICES},
        volume=int(item["volume"]["N"]),
        source=item["source"]["S"],
        ingested_at=item["ingested_at"]["S"],
        revision=int(item["revision"]["N"]) if "revision" in item else 0,
        doubt=item["doubt"]["S"] if "doubt" in item else "",
    )


def state_key(symbol: str) -> Item:
    """Return the key of a symbol's state in `stock-market-state`."""
    return {"key": {"S": SYMBOL_PREFIX + symbol}}


def state_to_item(state: SymbolState, newest: Observation) -> Item:
    """Return the item of a symbol's state after its newest quote.

    Beside what the processor reads again it holds that quote with its figures as one JSON text, ``newest``: whoever
    only looks, as the market desk does, then has all symbols by one small Scan and no call per symbol. The prices are
    one text too: a list of twenty numbers takes ten times as long to write and to read.
    """
    item: Item = {
        **state_key(newest.quote.symbol),
        "symbol": {"S": newest.quote.symbol},
        "newest": {"S": _newest_to_json(state, newest)},
        "newest_timestamp": {"S": state.newest_timestamp},
        "prices": {"S": " ".join(f"{price:f}" for price in state.prices)},
        "anomalies": _texts(state.anomalies),
        "alerted": {"M": {kind: {"S": timestamp} for kind, timestamp in state.alerted.items()}},
        "guard": {"S": _guard_to_json(state)},
        "alerting": {"B": memory_to_bytes(state.alerting)},
    }
    if state.side:
        item["side"] = {"S": state.side}
    return item


def state_from_item(item: Item) -> tuple[str, SymbolState]:
    """Return the symbol and the state of an item made by `state_to_item`."""
    return item["symbol"]["S"], SymbolState(
        newest_timestamp=item["newest_timestamp"]["S"],
        prices=tuple(Decimal(price) for price in item["prices"]["S"].split()),
        side=item["side"]["S"] if "side" in item else None,
        anomalies=tuple(name["S"] for name in item["anomalies"]["L"]),
        alerted={kind: timestamp["S"] for kind, timestamp in item["alerted"]["M"].items()},
        **(_guard_from_json(item["guard"]["S"]) if "guard" in item else {}),  # a state of before 0.2.0 has none
        alerting=memory_from_bytes(item["alerting"]["B"]) if "alerting" in item else NO_MEMORY,  # so has one of 0.2.0
    )


def _guard_to_json(state: SymbolState) -> str:
    """Return what suspicion and revisions need of a state, short: it is written with every batch."""
    memory = state.memory
    return json.dumps(
        {
            "suspect": state.suspect,
            "revision": state.revision,
            "counted": state.is_counted,
            "day": memory.day,
            "low": None if memory.low is None else f"{memory.low:f}",
            "high": None if memory.high is None else f"{memory.high:f}",
            "volume": memory.volume,
            "usual": memory.usual_volume,
            "price_run": _run_to_list(memory.price_run),
            "volume_run": _run_to_list(memory.volume_run),
        },
        separators=(",", ":"),
    )


def _guard_from_json(text: str) -> dict[str, Any]:
    guard = json.loads(text)
    return {
        "suspect": tuple(guard["suspect"]),
        "revision": guard["revision"],
        "is_counted": guard["counted"],
        "memory": SymbolMemory(
            day=guard["day"],
            low=None if guard["low"] is None else Decimal(guard["low"]),
            high=None if guard["high"] is None else Decimal(guard["high"]),
            volume=guard["volume"],
            usual_volume=guard["usual"],
            price_run=_run_from_list(guard["price_run"]),
            volume_run=_run_from_list(guard["volume_run"]),
        ),
    }


def memory_to_bytes(memory: AlertMemory) -> bytes:
    """Return what the applied rules remember, packed: closes as they are, volumes as what each minute added.

    Packed an hour of closes takes some 400 bytes, so that a state stays within two write units of 1,024.
    """
    minutes = memory.minutes
    volumes = (now - before for before, now in pairwise((0, *minutes.volumes)))
    text = json.dumps(
        [
            *(minutes.day, minutes.minute, minutes.price, minutes.volume, minutes.finished, minutes.spacing),
            *(" ".join(map(repr, minutes.closes)), " ".join(map(str, volumes))),
            {key: list(of_rule) for key, of_rule in memory.rules.items()},
        ],
        separators=(",", ":"),
    )
    return zlib.compress(text.encode(), 1)  # the quickest: the best takes three times as long and saves a tenth


def memory_from_bytes(packed: bytes) -> AlertMemory:
    """Return what `memory_to_bytes` wrote."""
    day, minute, price, volume, finished, spacing, closes, volumes, of_rules = json.loads(zlib.decompress(packed))
    minutes = Minutes(
        day=day,
        minute=minute,
        price=price,
        volume=volume,
        finished=finished,
        closes=tuple(map(float, closes.split())),
        volumes=tuple(accumulate(map(int, volumes.split()))),
        spacing=spacing,
    )
    return AlertMemory(minutes, {key: RuleMemory(*of_rule) for key, of_rule in of_rules.items()})


def _run_to_list(run: SuspectRun | None) -> list[Any] | None:
    return None if run is None else [f"{run.first:f}", run.since, run.near, run.quotes]


def _run_from_list(run: list[Any] | None) -> SuspectRun | None:
    return None if run is None else SuspectRun(Decimal(run[0]), *run[1:])


def _newest_to_json(state: SymbolState, newest: Observation) -> str:
    quote = newest.quote
    kind, alerted_at = max(state.alerted.items(), key=lambda alert: alert[1], default=(None, None))
    return json.dumps(
        {
            "timestamp": quote.timestamp,
            "ingested_at": quote.ingested_at,
            "source": quote.source,
            **{name: float(getattr(quote, name)) for name in PRICES},
            "volume": quote.volume,
            "change": _float_or_none(newest.change),
            "change_percent": _float_or_none(newest.change_percent),
            "moving_average": _float_or_none(newest.moving_average),
            "moving_average_5": _float_or_none(newest.moving_average_5),
            "trend": newest.trend,
            "reasons": newest.anomaly_reasons,
            "suspect": newest.suspect,
            "revision": quote.revision,
            "last_alert": {"kind": kind, "timestamp": alerted_at} if kind else None,
        },
        separators=(",", ":"),
    )


def _float_or_none(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _texts(texts: Sequence[str]) -> Item:
    return {"L": [{"S": text} for text in texts]}


def _number(value: Decimal) -> Item:
    return {"N": plain(value)}


def _number_or_null(value: Decimal | None) -> Item:
    return {"NULL": True} if value is None else _number(value)
