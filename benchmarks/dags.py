"""How long each DAG file takes to parse, as a ratio to an empty DAG with the same imports of Airflow.

The DAG processor reads every file again and again, each in a process that has Airflow's core already, and takes that
core out of the garbage collector's sight first (`gc.freeze` in `airflow.dag_processing.manager`). So the ratio is taken
in a fresh process per reading, prepared alike, of the time to execute the file, imports included. Without the freeze
one pass of the collector over the core, 200 ms, falls to whichever file happens to make the object that is due.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "dags"
READINGS = 7
"""Of each file, taken in turns; the least counts, for whatever else the machine does only adds."""

MOST = 1.5
"""What a file may take, in multiples of the empty DAG."""

_PROGRAM = """
import gc, runpy, sys, time
import airflow.sdk, airflow.settings
from airflow.dag_processing import dagbag
gc.collect()
gc.freeze()
started = time.perf_counter()
runpy.run_path(sys.argv[1])
print(time.perf_counter() - started)
"""

_EMPTY = """
@dag(schedule=None, start_date=pendulum.datetime(2024, 1, 1), catchup=False)
def empty():
    @task
    def nothing():
        pass
    nothing()
empty()
"""


def main() -> None:
    """Print a line for each file, and stop with an error if one takes too long."""
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        for path in sorted(FOLDER.glob("*.py")):
            empty.write_text(_same_imports(path) + _EMPTY)
            readings = [(_seconds(path), _seconds(empty)) for _ in range(READINGS)]
            own, least = (min(taken) for taken in zip(*readings, strict=True))
            ratio = own / least
            print(f"{path.stem:<20} {own * 1000:7.0f} ms   empty {least * 1000:7.0f} ms   ratio {ratio:.2f}")
            if ratio > MOST:
                slow.append(path.stem)
    if slow:
        sys.exit(f"expected {MOST} times an empty DAG or less, exceeded by {', '.join(slow)}")


def _same_imports(path: Path) -> str:
    """Return the imports of Airflow in a DAG file and in what all of them share."""
    wanted = ["import pendulum", "from airflow.sdk import dag, task"]
    shared = [FOLDER.parent / "src" / "tapeline" / f"{name}.py" for name in ("orchestration", "timetables")]
    for file in (path, *(file for file in shared if f"tapeline.{file.stem}" in path.read_text())):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow"):
                wanted.append(ast.unparse(node))
    return "\n".join(wanted) + "\n"


def _seconds(path: Path) -> float:
    """Return the time of one reading, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(path)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
