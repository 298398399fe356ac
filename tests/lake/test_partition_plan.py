from __future__ import annotations

from datetime import date

import pytest

from tapeline.lake.partition_plan import Folder, folders, plan_repair

LAKE = "s3://lake/raw-data/"
MONDAY, TUESDAY, WEDNESDAY, FRIDAY = (date(2025, 11, day) for day in (24, 25, 26, 28))


def test_a_listing_becomes_folders_and_what_lies_in_none_is_named() -> None:
    stored, strange = folders(
        [
            ("raw-data/dt=2025-11-26/one.json.gz", 100),
            ("raw-data/dt=2025-11-26/two.json.gz", 150),
            ("raw-data/dt=2025-11-28/one.json.gz", 7),
            ("raw-data/dt=2025-13-45/one.json.gz", 1),
            ("raw-data/dt=2025-11-28/", 0),
            ("raw-data/stray.csv", 3),
        ]
    )
    assert stored == [Folder(WEDNESDAY, 2, 250), Folder(FRIDAY, 1, 7)]
    assert strange == ["raw-data/dt=2025-13-45/one.json.gz", "raw-data/dt=2025-11-28/", "raw-data/stray.csv"]


def test_a_plan_adds_what_the_catalog_lacks_and_removes_what_has_no_objects() -> None:
    repair = plan_repair(
        "s3://lake/raw-data",
        [Folder(TUESDAY, 1, 10), Folder(WEDNESDAY, 2, 2_500_000), Folder(FRIDAY, 3, 30)],
        {
            "2025-11-24": f"{LAKE}dt=2025-11-24/",
            "2025-11-25": f"{LAKE}dt=2025-11-25",
            "2025-11-28": "s3://elsewhere/dt=2025-11-28/",
            "today": f"{LAKE}dt=today/",
        },
    )
    assert [folder.day for folder in repair.add] == [WEDNESDAY]
    assert (repair.move, repair.remove, repair.keep, repair.strange) == ((FRIDAY,), (MONDAY,), 1, ("today",))
    assert repair.summary(dry_run=True) == (
        "1 partitions are right.\n"
        "Would add 1: 2025-11-26 (2 objects, 2.5 MB)\n"
        "Would correct the location of 1: 2025-11-28\n"
        "Would remove, since their folders are empty, 1: 2025-11-24\n"
        "Left alone, of no trading date: today"
    )


def test_a_range_leaves_the_rest_alone() -> None:
    stored = [Folder(MONDAY, 1, 1), Folder(WEDNESDAY, 1, 1)]
    repair = plan_repair(LAKE, stored, {"2025-11-28": LAKE}, first=TUESDAY, last=WEDNESDAY)
    assert ([folder.day for folder in repair.add], repair.remove) == ([WEDNESDAY], ())


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="2025-11-28 to 2025-11-24"):
        plan_repair(LAKE, [], {}, first=FRIDAY, last=MONDAY)


def test_nothing_to_do_is_said() -> None:
    repair = plan_repair(LAKE, [Folder(FRIDAY, 1, 1)], {"2025-11-28": f"{LAKE}dt=2025-11-28/"})
    assert repair.is_empty
    assert repair.summary(dry_run=False) == "Nothing to repair: 1 partitions are right."
