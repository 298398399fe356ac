"""The figures of the chart, computed by the page's own module in a browser."""

from __future__ import annotations

from typing import Any

from .conftest import Desk


def minute(at: int, price: float, volume: int = 100, quotes: int = 1) -> list[float]:
    return [60 * at, price, price + 1, price - 1, price, volume, quotes]


def minutes(*quotes: int) -> list[list[float]]:
    return [minute(at, 100, quotes=count) for at, count in enumerate(quotes)]


def volumes(*traded: int) -> list[list[float]]:
    return [minute(at, 100, volume) for at, volume in enumerate(traded)]


OPEN = 1_773_322_200  # 2026-03-12 09:30 in New York

CASES: list[tuple[str, list[Any], Any]] = [
    ("toBars", [[], 5], []),
    (
        "toBars",
        [[minute(0, 100), minute(1, 104), minute(4, 99), minute(5, 98)], 5],
        [[0, 100, 105, 98, 99, 300, 3], [300, 98, 99, 97, 98, 100, 1]],
    ),
    # An hour of New York's session begins at half past; what came before it stands in the hour before.
    (
        "toBars",
        [[[OPEN - 60, 1, 1, 1, 1, 1, 1], [OPEN, 2, 2, 2, 2, 2, 2]], 60, OPEN],
        [[OPEN - 3600, 1, 1, 1, 1, 1, 1], [OPEN, 2, 2, 2, 2, 2, 2]],
    ),
    ("sampled", [[[0, 1], [60, 2], [300, 3]], 5], [[0, 2], [300, 3]]),
    ("fitting", [[]], 60),
    ("fitting", [minutes(*[1] * 60)], 5),  # a quote a minute, as a replay of minute bars
    ("fitting", [minutes(*[2] * 60)], 5),  # Yahoo, asked every 30 s
    ("fitting", [minutes(*[12] * 60)], 1),
    ("fitting", [minutes(*[1] * 200, *[12] * 60)], 5),  # seeded, then live
    ("fitting", [[minute(10 * at, 100) for at in range(30)]], 60),  # a thin symbol
    ("gaps", [[]], []),
    ("gaps", [[0, 60, 120, 3_180, 3_240]], [[120, 3_180]]),
    ("gaps", [[0, 60, 600]], []),  # nine minutes
    ("gaps", [[0, 1_800, 3_600, 5_400]], []),  # a thin symbol always has them
    ("timesBetween", [[], 5], []),
    ("timesBetween", [[[0], [900]], 5], [0, 300, 600, 900]),
    ("volumeLimit", [volumes(21_878_299, 44_528, 40_000, 50_000)], 50_000),
    ("volumeLimit", [volumes(9_000_000, 40, 8_000_000, 50, 60)], 60),  # before the open, and at it
    ("volumeLimit", [volumes(300, 100, 100)], None),  # an opening auction is seen as it is
    ("volumeLimit", [volumes(500, 0, 0)], None),
    ("volumeLimit", [[]], None),
]


def test_the_figures_of_the_chart(desk: Desk) -> None:
    page = desk.open()
    run = """async (cases) => {
        const bars = await import("./static/bars.js");
        const finite = (found) => (found === Infinity ? null : found);
        return cases.map(([name, given]) => finite(bars[name](...given)));
    }"""
    found = page.evaluate(run, [[name, given] for name, given, _ in CASES])
    assert [(*case[:2], one) for case, one in zip(CASES, found, strict=True)] == CASES
