"""`tapeline rules` as a user runs it, without any deployment."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tapeline.cli.main import app
from tests.market.alerting.test_past import bars

RULES = Path(__file__).parents[2] / "include" / "rules"


@pytest.fixture
def bar_file(tmp_path: Path) -> Path:
    rows = [(symbol, end - 60, close, high, low, volume) for symbol, _, end, close, high, low, volume in bars()]
    symbols, starts, closes, highs, lows, volumes = zip(*rows, strict=True)
    moments = pa.array([int(start * 1_000_000) for start in starts], pa.int64()).cast(pa.timestamp("us", "UTC"))
    prices = {"open": closes, "high": highs, "low": lows, "close": closes, "volume": volumes}
    file = tmp_path / "bars.parquet"
    pq.write_table(pa.table({"symbol": symbols, "timestamp": moments, **prices}), file)
    return file


def test_check_says_what_the_rules_ask_for() -> None:
    result = CliRunner().invoke(app, ["rules", "check", str(RULES)])
    assert result.exit_code == 0, result.output
    assert "moves by more than 2.7 times what is usual at that hour" in result.output
    assert "7 rules in 1 files: all well." in result.output


def test_a_bad_file_is_one_red_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("rules:\n  - name: one\n    when: {level: {price: cheap}}\n")
    result = CliRunner().invoke(app, ["rules", "check", str(file)])
    assert result.exit_code == 1
    expected = f"{file}:3: rules.1.when.level.price: expected a number from 0.0001 to 1e+12, found 'cheap'"
    assert expected in result.output.replace("\n", "")


def test_the_past_as_json_and_as_a_table(bar_file: Path) -> None:
    asked = ["rules", "test", str(RULES), "--bars", str(bar_file), "--from", "2026-02-20"]
    result = CliRunner().invoke(app, [*asked, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["symbols"] == 2
    assert document["alerts"]
    assert all(alert["time"] >= "2026-02-20" for alert in document["alerts"])
    shown = CliRunner().invoke(app, asked)
    assert "alerts per symbol and session" in shown.output
    assert document["alerts"][-1]["time"] in shown.output


def test_a_date_that_is_none_is_refused(bar_file: Path) -> None:
    result = CliRunner().invoke(app, ["rules", "test", str(RULES), "--bars", str(bar_file), "--from", "soon"])
    assert result.exit_code == 1
    assert "expected a date such as 2026-03-12, found 'soon'" in result.output
