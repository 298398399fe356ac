"""Run the benchmarks: `python -m benchmarks` runs all, `python -m benchmarks stream` one."""

from __future__ import annotations

import argparse
import importlib

BENCHMARKS = {
    "stream": "calls and quotes per second of the stream processor against a plain per-record one",
    "replay": "a file of real bars through the whole laptop, every average and alert checked",
    "queries": "seconds of the original's four queries over a replayed file, first time and later",
    "lake": "bytes and files that questions read from the curated tables against the raw zone",
    "sessions": "ten sessions of real bars backfilled by Airflow through three interruptions, every row checked",
    "rollup": "a session of ten million quotes rolled up, against plain DuckDB over the same Parquet",
    "desk": "what the market desk costs its server, the database and the stream, one page and ten, against none",
    "desk_browser": "frames and long tasks of the market desk's page, 500 symbols moving, against nothing moving",
    "fuzz": "a million records of nonsense through the whole laptop: none stops its shard, and all is accounted for",
    "alerts": "what the default rules would have sent over real bars, beside the rules of before",
    "dags": "parse time of each DAG file against an empty DAG with the same imports of Airflow",
}


def main() -> None:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="; ".join(f"{name}: {what}" for name, what in BENCHMARKS.items())
    )
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"expected some of {', '.join(BENCHMARKS)}; found {', '.join(sorted(unknown))}")
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
