"""What lies in the bucket for people to look at: rejected records and reports."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date

from tapeline.aws.deployment import Deployment
from tapeline.desk.models import Reject, Rejects, Report
from tapeline.lake.partitions import date_folders
from tapeline.stream import raw_zone
from tapeline.stream.keys import REJECTED_PREFIX, REPORTS_PREFIX, parse_key

MOST_REJECT_OBJECTS = 50
"""Newest objects under rejected/ that are opened for one list."""

MOST_PAYLOAD_CHARACTERS = 2000
MOST_REPORTS = 400

KINDS = {"anomaly-report": ("anomaly", "Session of"), "weekly-report": ("weekly", "Week to")}
"""Reports by their file's name: kind and how the title begins."""

_REPORT = re.compile(rf"{REPORTS_PREFIX}dt=(?P<day>\d{{4}}-\d\d-\d\d)/(?P<name>[a-z-]+)\.html")


def rejects(deployment: Deployment, most: int) -> Rejects:
    """Return the newest rejected records, counted by reason, with their payloads as text."""
    s3, bucket = deployment.client("s3"), deployment.outputs.bucket_name
    records: list[Reject] = []
    more = False
    for number, key in enumerate(_newest_reject_keys(deployment)):
        if len(records) >= most or number >= MOST_REJECT_OBJECTS:
            more = True
            break
        records += map(_reject, raw_zone.get_lines(s3, bucket, key))
    newest = sorted(records, key=lambda record: record.arrived_at, reverse=True)
    reasons = Counter(record.reason for record in newest[:most])
    return Rejects(reasons=dict(reasons.most_common()), more=more or len(newest) > most, rejects=newest[:most])


def reports(deployment: Deployment) -> list[Report]:
    """Return the stored reports, the newest first."""
    keys = _keys(deployment, f"{REPORTS_PREFIX}dt=")
    matches = sorted(filter(None, map(_REPORT.fullmatch, keys)), key=lambda match: (match["day"], match["name"]))
    return [_report(match) for match in reversed(matches[-MOST_REPORTS:])]


def report(deployment: Deployment, day: date, name: str) -> bytes | None:
    """Return a stored report, HTML; None if there is none."""
    s3 = deployment.client("s3")
    try:
        answer = s3.get_object(Bucket=deployment.outputs.bucket_name, Key=f"{REPORTS_PREFIX}dt={day}/{name}.html")
    except s3.exceptions.NoSuchKey:
        return None
    return answer["Body"].read()


def _newest_reject_keys(deployment: Deployment) -> Iterator[str]:
    for day in reversed(date_folders(deployment, REJECTED_PREFIX)):
        keys = _keys(deployment, f"{REJECTED_PREFIX}dt={day}/")
        yield from sorted(keys, key=lambda key: parse_key(key).first_time, reverse=True)


def _keys(deployment: Deployment, prefix: str) -> Iterator[str]:
    listing = raw_zone.list_objects(deployment.client("s3"), deployment.outputs.bucket_name, prefix)
    return (entry["Key"] for entry in listing)


def _reject(line: str) -> Reject:
    stored = json.loads(line)
    payload = stored.get("payload", stored.get("payload_base64", ""))
    return Reject(
        reason=stored["reason"],
        detail=stored["detail"][:MOST_PAYLOAD_CHARACTERS],
        payload=payload[:MOST_PAYLOAD_CHARACTERS],
        truncated=len(payload) > MOST_PAYLOAD_CHARACTERS,
        binary="payload" not in stored,
        arrived_at=stored["arrived_at"],
        sequence_number=stored["sequence_number"],
        shard_id=stored["shard_id"],
        symbol=stored.get("partition_key", ""),
    )


def _report(match: re.Match[str]) -> Report:
    kind, begin = KINDS.get(match["name"], (match["name"], match["name"].replace("-", " ").capitalize()))
    day = date.fromisoformat(match["day"])
    return Report(
        name=match["name"],
        kind=kind,
        session=match["day"],
        title=f"{begin} {day:%A} {day.day} {day:%B %Y}",
        href=f"reports/{match['day']}/{match['name']}.html",
    )
