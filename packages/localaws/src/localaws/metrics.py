"""Metrics of the functions on their way to CloudWatch: gathered here, sent as one statistic set per metric and flush.

AWS takes them from two places, and so do we: the event source mapping measures (`AWS/Lambda`), and the function prints
documents in the embedded metric format (CloudWatch User Guide, "Specification: Embedded metric format").
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Dimensions = tuple[tuple[str, str], ...]

_DATA_PER_CALL = 500
"""PutMetricData takes 1,000 metrics and 1 MB in a call."""


@dataclass(slots=True)
class _Statistics:
    count: float = 0
    total: float = 0
    minimum: float = float("inf")
    maximum: float = float("-inf")

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)


class Metrics:
    """Gathers values until `flush` sends them by a client of CloudWatch; safe to share between threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._gathered: dict[tuple[str, str, Dimensions, str], _Statistics] = {}

    def add(self, namespace: str, name: str, value: float, unit: str, dimensions: Dimensions = ()) -> None:
        """Count one value."""
        with self._lock:
            self._gathered.setdefault((namespace, name, dimensions, unit), _Statistics()).add(value)

    def add_invocation(self, function: str, seconds: float, *, failed: bool, age: float | None = None) -> None:
        """Count an invocation, and of a stream's records their age in seconds."""
        dimensions = (("FunctionName", function),)
        self.add("AWS/Lambda", "Invocations", 1, "Count", dimensions)
        self.add("AWS/Lambda", "Errors", 1 if failed else 0, "Count", dimensions)
        self.add("AWS/Lambda", "Duration", seconds * 1000, "Milliseconds", dimensions)
        if age is not None:
            self.add("AWS/Lambda", "IteratorAge", age * 1000, "Milliseconds", dimensions)

    def add_polled(self, mapping_id: str, records: int) -> None:
        """Count what an event source mapping has read of a shard, 0 if there was nothing."""
        self.add("AWS/Lambda", "PolledEventCount", records, "Count", (("EventSourceMappingUUID", mapping_id),))

    def add_failed_delivery(self, function: str) -> None:
        """Count a batch that a function gave up and that its failure destination refused."""
        self.add("AWS/Lambda", "DestinationDeliveryFailures", 1, "Count", (("FunctionName", function),))

    def add_line(self, line: bytes) -> None:
        """Count the values of a line that a function printed, if it is a document in the embedded metric format."""
        if not (line.startswith(b"{") and b'"_aws"' in line):
            return
        try:
            document = json.loads(line)
            values = list(_embedded(document))
        except (ValueError, KeyError, TypeError):
            return  # a log line that only looks like one
        for value in values:
            self.add(*value)

    def flush(self) -> None:
        """Send what was gathered; metrics of a flush that fails are lost, as they are told apart from data by that."""
        with self._lock:
            gathered, self._gathered = self._gathered, {}
        by_namespace: dict[str, list[dict[str, Any]]] = {}
        for (namespace, name, dimensions, unit), statistics in gathered.items():
            by_namespace.setdefault(namespace, []).append(
                {
                    "MetricName": name,
                    "Unit": unit,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
                    "StatisticValues": {
                        "SampleCount": statistics.count,
                        "Sum": statistics.total,
                        "Minimum": statistics.minimum,
                        "Maximum": statistics.maximum,
                    },
                }
            )
        for namespace, data in sorted(by_namespace.items()):  # AWS's own first: each call has all alarms looked at
            for start in range(0, len(data), _DATA_PER_CALL):
                self._client.put_metric_data(Namespace=namespace, MetricData=data[start : start + _DATA_PER_CALL])


def _embedded(document: dict[str, Any]) -> Iterable[tuple[str, str, float, str, Dimensions]]:
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            values = document[metric["Name"]]
            for names in directive["Dimensions"] or [[]]:
                dimensions = tuple((name, str(document[name])) for name in names)
                for value in values if isinstance(values, list) else [values]:
                    yield directive["Namespace"], metric["Name"], float(value), metric.get("Unit", "None"), dimensions
