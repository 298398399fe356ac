"""How `make witness` translates, compares and reports; the run itself needs Java and is no part of `make test`."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tests.witness import archive, client, dialect
from tests.witness.absent import AbsentError
from tests.witness.client import Answer
from tests.witness.comparison import AGREES, ALONE, DIFFERS, REFUSED, Finding, compare
from tests.witness.report import Known, Part, known_differences, surprises


@pytest.mark.parametrize("module", [client, dialect])
def test_examples_in_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("athena", "trino"),
    [
        ("SELECT 1.5 FROM t; ", "SELECT 1.5E0 FROM t"),
        (
            "CREATE TABLE t (a string, b array<int>, c timestamp) PARTITIONED BY (day(c), bucket(4, a)) "
            "LOCATION 's3://b/t/' TBLPROPERTIES ('table_type' = 'ICEBERG')",
            "CREATE TABLE t (a varchar, b array(integer), c timestamp(6)) "
            "WITH (location = 's3://b/t/', partitioning = ARRAY['day(c)', 'bucket(a, 4)'])",
        ),
        (
            "CREATE TABLE t WITH (table_type = 'ICEBERG', is_external = false, location = 's3://b/t') AS SELECT .5 x",
            "CREATE TABLE t WITH (location = 's3://b/t') AS SELECT .5E0 x",
        ),
        (
            "CREATE TABLE t WITH (format = 'JSON', partitioned_by = ARRAY['a', 'b']) AS SELECT 1 AS x",
            "CREATE TABLE hive.{schema}.t WITH (format = 'JSON', partitioned_by = ARRAY['a', 'b']) AS SELECT 1 AS x",
        ),
        ("ALTER TABLE t ADD COLUMNS (note string)", "ALTER TABLE t ADD COLUMN note varchar"),
        ("OPTIMIZE t REWRITE DATA USING BIN_PACK", "ALTER TABLE t EXECUTE optimize"),
        ("DROP DATABASE d", "DROP SCHEMA d"),
        ("SHOW PARTITIONS t", None),
        ("-- why\nVACUUM t", None),
        ("-- why\nSELECT 1", "-- why\nSELECT 1"),
    ],
)
def test_a_statement_is_put_into_trino_s_words(athena: str, trino: str | None) -> None:
    assert dialect.to_trino(athena) == trino


ROWS = Answer(["x double"], [["0.1"], ["2.0"]])


@pytest.mark.parametrize(
    ("sql", "laptop", "trino", "kind"),
    [
        ("SELECT x", ROWS, ROWS, AGREES),
        ("SELECT x", ROWS, Answer(["x double"], [["2.0"], ["0.10000000000000002"]]), AGREES),
        ("SELECT x ORDER BY x", ROWS, Answer(["x double"], [["2.0"], ["0.1"]]), DIFFERS),
        ("SELECT x", ROWS, Answer(["x double"], [["0.1"], ["2.1"]]), DIFFERS),
        ("SELECT x", ROWS, Answer(["x varchar"], [["0.1"], ["2.0"]]), DIFFERS),
        ("SELECT x", ROWS, Answer(["x double"], [["0.1"]]), DIFFERS),
        ("SELECT x", Answer(["x varchar"], [["0.1"]]), Answer(["x varchar"], [["0.10000000000000001"]]), DIFFERS),
        ("SELECT x", ROWS, Answer(error="TYPE_MISMATCH"), DIFFERS),
        ("SELECT x", Answer(error="TYPE_MISMATCH"), Answer(error="TYPE_MISMATCH"), AGREES),
        ("SELECT x", Answer(error="TYPE_MISMATCH", message="TYPE_MISMATCH"), ROWS, DIFFERS),
        (
            "SELECT x",
            Answer(error="NOT_SUPPORTED", message="NOT_SUPPORTED: not supported on the laptop: x"),
            ROWS,
            REFUSED,
        ),
        ("DELETE FROM t", Answer(updated=2), Answer(["rows bigint"], updated=3), DIFFERS),
        ("MSCK REPAIR TABLE t", Answer(), None, ALONE),
    ],
)
def test_two_answers_are_weighed(sql: str, laptop: Answer, trino: Answer | None, kind: str) -> None:
    assert compare("a case", sql, laptop, trino).kind == kind


def test_a_difference_that_is_not_listed_fails_and_so_does_one_that_is_gone() -> None:
    part = Part("p", "", [Finding("new", DIFFERS, "1 and 2"), Finding("old", AGREES), Finding("kept", DIFFERS)])
    known = [Known(part="p", name=name, reason="r", source="s") for name in ("old", "kept")]
    assert surprises([part], known) == [
        "not in the list of known differences: p: new: 1 and 2",
        "in the list of known differences, but both agree now: p: old",
    ]


def test_each_known_difference_has_a_reason_and_a_source() -> None:
    assert all(one.keys() == Known.__annotations__.keys() and all(one.values()) for one in known_differences())


def test_without_java_or_maven_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archive, "JAVA", 999)
    with pytest.raises(AbsentError, match="needs Java 999 or newer; JAVA_HOME, PATH and /usr/lib/jvm have "):
        archive.find_java()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AbsentError, match="Maven"):
        archive.copy_artifacts(["io.trino:trino-server:476:tar.gz"], tmp_path)


def test_an_archive_that_is_not_the_pinned_one_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    archive.cache().mkdir()
    (archive.cache() / "trino-server-476.tar.gz").write_bytes(b"something else")
    with pytest.raises(AbsentError, match="expected cfd5accd"):
        archive.trino_folder()
