"""Many small objects of JSON lines as a few files: opening a file costs DuckDB as much as reading a thousand lines.

A raw zone that is written every few seconds holds thousands of objects. Gzip files one after the other are a gzip file
again, so the objects of a partition are put together as they are; an end of line goes between them, so that the last
line of one and the first of the next stay two.
"""

from __future__ import annotations

import gzip
import uuid
from collections import defaultdict
from pathlib import Path

from localaws.athena.files import DataFile

SMALL_BYTES = 1024 * 1024
"""Larger objects are read where they are."""

FEW = 4
"""As many of a partition are not worth it."""

LANES = 2
"""Bundles of each partition, so that both threads have work."""

_LINE_END = {True: gzip.compress(b"\n"), False: b"\n"}


def bundle(files: list[DataFile], folder: Path) -> list[DataFile]:
    """Put the small files of each partition together.

    Parameters
    ----------
    files : list of DataFile
        Of one table.
    folder : Path
        Where the bundles go.

    Returns
    -------
    list of DataFile
        The bundles, and the files that are in none.
    """
    groups: dict[tuple[tuple[str, ...], bool], list[DataFile]] = defaultdict(list)
    left = []
    for file in files:
        if file.size <= SMALL_BYTES:
            groups[file.values, file.path.endswith(".gz")].append(file)
        else:
            left.append(file)
    folder.mkdir(parents=True, exist_ok=True)
    for (values, packed), small in groups.items():
        if len(small) <= FEW:
            left += small
            continue
        for lane in range(LANES):
            path = folder / f"{uuid.uuid4()}.json{'.gz' if packed else ''}"
            with path.open("wb") as target:
                for file in small[lane::LANES]:
                    target.write(Path(file.path).read_bytes() + _LINE_END[packed])
            left.append(DataFile(small[0].url.rpartition("/")[0], str(path), path.stat().st_size, values))
    return left
