"""The curated tables, which a rollup fills session by session."""

from __future__ import annotations

CURATED = ("minute_bars", "anomalies", "daily_summary")
"""In the order in which a session of them is staged and published: the last reads the other two."""
