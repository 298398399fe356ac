"""Which partitions of the raw zone the catalog lacks, which it has without data, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from tapeline.lake.audit_result import named
from tapeline.stream.keys import RAW_PREFIX

SHOWN = 10

_FOLDER = re.compile(re.escape(RAW_PREFIX) + r"dt=(?P<day>\d{4}-\d\d-\d\d)/.+")


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in one ``dt=`` folder."""

    day: date
    objects: int
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.day} ({self.objects:,} objects, {self.size_bytes / 1e6:,.1f} MB)"


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """What makes catalog and bucket agree.

    Attributes
    ----------
    location : str
        Of the table, ``s3://…/raw-data/``.
    add : tuple of Folder
        Folders with objects that the catalog does not know.
    move : tuple of date
        Partitions whose location in the catalog is not their folder's, while the folder has objects.
    remove : tuple of date
        Partitions of the catalog whose folder holds nothing. Nothing is ever deleted in the bucket.
    keep : int
        Partitions that are right.
    strange : tuple of str
        Keys and partition values that belong to no day; they are named and left alone.
    """

    location: str
    add: tuple[Folder, ...]
    move: tuple[date, ...]
    remove: tuple[date, ...]
    keep: int
    strange: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.add or self.move or self.remove)

    def summary(self, *, dry_run: bool) -> str:
        """Return what will be done, or what would be, in a few lines."""
        if self.is_empty:
            lines = [f"Nothing to repair: {self.keep} partitions are right."]
        else:
            would = "would " if dry_run else ""
            lines = [f"{self.keep} partitions are right."]
            for verb, partitions in (
                ("add", [str(folder) for folder in self.add]),
                ("correct the location of", list(map(str, self.move))),
                ("remove, since their folders are empty,", list(map(str, self.remove))),
            ):
                if partitions:
                    start = f"{would}{verb}"
                    lines.append(f"{start[0].upper()}{start[1:]} {len(partitions)}: {named(partitions, SHOWN)}")
        if self.strange:
            lines.append(f"Left alone, of no trading date: {named(self.strange, SHOWN)}")
        return "\n".join(lines)


def folders(sizes: Iterable[tuple[str, int]]) -> tuple[list[Folder], list[str]]:
    """Sum up a listing of the raw zone, (key, bytes) each, into its folders and the keys that lie in none."""
    objects: dict[date, int] = {}
    total: dict[date, int] = {}
    strange = []
    for key, size in sizes:
        match = _FOLDER.fullmatch(key)
        day = _day(match["day"]) if match else None
        if day is None:
            strange.append(key)
            continue
        objects[day] = objects.get(day, 0) + 1
        total[day] = total.get(day, 0) + size
    return [Folder(day, objects[day], total[day]) for day in sorted(objects)], strange


def plan_repair(
    location: str,
    stored: Iterable[Folder],
    registered: Mapping[str, str],
    strange: Iterable[str] = (),
    first: date | None = None,
    last: date | None = None,
) -> PartitionPlan:
    """Compare the folders of the bucket with the catalog's locations by partition value, from `first` to `last`."""
    if first and last and first > last:
        raise ValueError(f"expected a range from an earlier to a later date, found {first} to {last}")
    location = location.rstrip("/") + "/"
    days = {value: _day(value) for value in registered}
    foreign = [value for value, day in days.items() if day is None]
    at = {day: registered[value] for value, day in days.items() if day is not None and _inside(day, first, last)}
    present = {folder.day: folder for folder in stored if _inside(folder.day, first, last)}
    wrong = {day for day in at if day in present and at[day].rstrip("/") != f"{location}dt={day}"}
    return PartitionPlan(
        location=location,
        add=tuple(present[day] for day in sorted(present.keys() - at.keys())),
        move=tuple(sorted(wrong)),
        remove=tuple(sorted(at.keys() - present.keys())),
        keep=len((present.keys() & at.keys()) - wrong),
        strange=(*strange, *foreign),
    )


def _inside(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or day >= first) and (last is None or day <= last)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None
