"""An event source mapping: its settings, and how far it has got in each shard."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from localaws.sources import TRIM_HORIZON


@dataclass(frozen=True, slots=True)
class Mapping:
    """An event source mapping as deployed; the attributes are those of the Lambda API, -1 meaning without limit."""

    mapping_id: str
    source_arn: str
    function_name: str
    batch_size: int
    window_seconds: float
    starting_position: str
    retry_attempts: int
    record_age_seconds: int
    bisects: bool
    reports_failures: bool
    failure_destination: str
    filter_json: str

    @classmethod
    def read(cls, description: dict[str, Any]) -> Mapping:
        """Read an element of ListEventSourceMappings."""
        return cls(
            mapping_id=description["UUID"],
            source_arn=description["EventSourceArn"],
            function_name=description["FunctionArn"].split(":")[6],
            batch_size=description.get("BatchSize", 100),
            window_seconds=description.get("MaximumBatchingWindowInSeconds", 0),
            starting_position=description.get("StartingPosition", TRIM_HORIZON),
            retry_attempts=description.get("MaximumRetryAttempts", -1),
            record_age_seconds=description.get("MaximumRecordAgeInSeconds", -1),
            bisects=description.get("BisectBatchOnFunctionError", False),
            reports_failures="ReportBatchItemFailures" in description.get("FunctionResponseTypes", []),
            failure_destination=description.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", ""),
            filter_json=json.dumps(description.get("FilterCriteria") or {}),
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a mapping has got in a shard.

    Attributes
    ----------
    sequence_number : str
        Of the last record that is done with; empty before the first.
    start : str
        ``TRIM_HORIZON``, or the moment of the mapping's first look at the stream, ISO 8601, if it asked for the latest.
    is_closed : bool
        Whether the shard is read to its end.
    """

    sequence_number: str = ""
    start: str = TRIM_HORIZON
    is_closed: bool = False

    @property
    def starting_position(self) -> str | datetime:
        """Where to read while there is no sequence number."""
        return self.start if self.start == TRIM_HORIZON else datetime.fromisoformat(self.start)


class Checkpoints:
    """The checkpoints of one mapping, a small file per shard in its own folder, each replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, shard_id: str) -> Checkpoint | None:
        """Return a shard's checkpoint, or None if the mapping has never seen the shard."""
        try:
            document = json.loads((self._folder / f"{shard_id}.json").read_text())
        except FileNotFoundError:
            return None
        return Checkpoint(**document)

    def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Write a shard's checkpoint; a reader sees the old one or the new one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{shard_id}.{os.getpid()}"
        draft.write_text(json.dumps(asdict(checkpoint)))
        draft.replace(self._folder / f"{shard_id}.json")

    def is_empty(self) -> bool:
        """Say whether the mapping is new here."""
        return not self._folder.exists()
