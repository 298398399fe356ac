"""Rule files: what stands in them is what is read, and what is wrong is named with file, line, expected and found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tapeline.market.alerting.conditions import KINDS
from tapeline.market.alerting.fields import fields_of
from tapeline.market.alerting.files import RuleFileError, read_files
from tapeline.market.alerting.rules import Rule, read_rules, schema

ROOT = Path(__file__).parents[3]
RULES = ROOT / "include" / "rules"


def test_the_rules_that_come_with_tapeline_are_read_and_written_alike() -> None:
    rules = read_files([RULES]).rules
    assert [rule.name for rule in rules.rules][:2] == ["price_move", "sudden_move"]
    assert read_rules([((), rules.to_document())]) == rules


def test_the_schema_beside_the_rules_is_that_of_the_code() -> None:
    assert json.loads((RULES / "schema.json").read_text()) == schema()


def test_the_page_names_every_word() -> None:
    page = (ROOT / "docs" / "rules.md").read_text()
    words = {*KINDS, *(name for kind in KINDS.values() for name in fields_of(kind)), *fields_of(Rule), "for", "symbols"}
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []


GOOD = "rules:\n  - name: one\n    when:\n      level: {price: 100}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("rules:\n  - name: One\n    when: {level: {price: 1}}\n", 2, "lower-case letters, digits and _, found 'One'"),
        ("rules:\n  - name: suspect\n", 2, "another name than suspect and correction"),
        ("rules:\n  - name: one\n", 2, "rules.1.when: expected a condition, found nothing"),
        ("rules:\n  - name: one\n    when:\n      levle: {price: 1}\n", 3, "one condition: level, day_change"),
        (
            "rules:\n  - name: one\n    when:\n      level: {price: -1}\n",
            4,
            "level.price: expected a number from 0.0001",
        ),
        (
            "rules:\n  - name: one\n    when:\n      level:\n        prise: 1\n",
            5,
            "expected only price, way, step_back",
        ),
        (
            "rules:\n  - name: one\n    when:\n      move:\n        within: 61\n        beyond: 2\n",
            5,
            "a whole number from 1 to 60, found 61",
        ),
        ("rules:\n  - name: one\n    when:\n      move:\n        within: true\n        beyond: 2\n", 5, "found True"),
        (
            "rules:\n  - name: one\n    when:\n      all:\n        - level: {price: 1}\n",
            4,
            "a list of 2 to 8 conditions",
        ),
        (
            "rules:\n  - name: a\n    when:\n      all:\n      - level: {price: 1}\n      - volume: {beyond: .nan}\n",
            6,
            "volume.beyond: expected a number from 1 to 1000, found nan",
        ),
        (GOOD + "    severity: loud\n", 5, "one of info, warning, critical, found 'loud'"),
        (GOOD + "    symbols: [aapl, MSFT]\n", 5, "a watch list of these files (none is defined), found 'aapl'"),
        (GOOD + "    symbols: chips\n", 5, "a watch list of these files"),
        (GOOD + "    symbols: []\n", 5, "a list of symbols and names, found []"),
        (GOOD + "    for: -1\n", 5, "for: expected a whole number from 0 to 390, found -1"),
        (GOOD + "    cooldown: soon\n", 5, "a whole number from 0 to 10080, found 'soon'"),
        (GOOD + "    color: red\n", 5, "found 'color'"),
        (GOOD + GOOD[7:], 5, "each name once, found 'one'"),
        (GOOD + "watch_lists:\n  chips: NVDA\n", 6, "a list of symbols such as [AAPL, MSFT], found 'NVDA'"),
        (GOOD + "based_on: first\n", 5, "the number of a version, found 'first'"),
        (GOOD + "rules: []\n", 5, "each key once, found 'rules' twice"),
        ("rules: {}\n", 1, "a list of rules, found {}"),
        ("- one\n", 1, "a map of rules and watch_lists, found ['one']"),
        ("rules:\n  - name: [\n", 3, "expected YAML"),
        ("rules: " + "[" * 2000, 1, "expected"),
        ("rules: [&a [*a]]\n", 1, "expected a rule"),
        ("? [a]\n: 1\n", 1, "expected a word as key"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(RuleFileError) as caught:
        read_files([file])
    assert str(caught.value).startswith(f"{file}:{line}: "), caught.value
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="expected a rule file"):
        read_files([tmp_path / "none.yaml"])
    with pytest.raises(RuleFileError, match="found none"):
        read_files([tmp_path])


def test_watch_lists_and_symbols_choose_who_is_watched(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD + "    symbols: [chips, TSLA]\nwatch_lists:\n  chips: [NVDA, AMD]\n")
    rules = read_files([file]).rules
    assert [symbol for symbol in ("NVDA", "AMD", "TSLA", "AAPL") if rules.of(symbol).all] == ["NVDA", "AMD", "TSLA"]
