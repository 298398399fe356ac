"""`tapeline correct`: the version that stands is replaced on the stream, wherever the old one is found."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from tapeline.cli import correct as correct_command
from tapeline.cli.main import app
from tapeline.market.quotes import FIGURES, QuoteRejectedError
from tapeline.operations import correct
from tapeline.operations.correct import CorrectionError

from .stream import LocalDeployment, make_quote

TIME = "2026-03-12T13:30:00Z"


@pytest.fixture
def command(deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line over two stored quotes; what it sends is delivered while it waits."""
    monkeypatch.setattr(correct_command, "sleep", lambda seconds: deployment.deliver())
    monkeypatch.setattr(correct_command, "deployment_of", lambda target, stack_name: deployment)
    deployment.put(make_quote(minute=0, price="106"), make_quote(minute=1))
    deployment.deliver()
    return CliRunner()


def test_a_corrected_price_stands_in_the_table_when_the_command_ends(
    deployment: LocalDeployment, command: CliRunner
) -> None:
    done = command.invoke(app, ["correct", "aapl", TIME, "--price", "101.25"])
    assert done.exit_code == 0, done.output
    assert f"Stored AAPL at {TIME}, version 1:" in done.output
    assert "price          106 becomes 101.25" in done.output
    assert "backfill create --dag-id daily_rollup --from-date 2026-03-12 --to-date 2026-03-12" in done.output
    key = {"symbol": {"S": "AAPL"}, "timestamp": {"S": TIME}}
    item = deployment.dynamodb.get_item(TableName="data", Key=key)["Item"]
    assert (item["price"], item["revision"], item["source"]) == ({"N": "101.25"}, {"N": "1"}, {"S": "correction"})
    assert item["alerts"] == {"SS": ["correction"]}
    assert deployment.reconcile().agrees


def test_a_quote_that_only_the_raw_zone_has_can_be_withdrawn(deployment: LocalDeployment, command: CliRunner) -> None:
    deployment.dynamodb.delete_item(TableName="data", Key={"symbol": {"S": "AAPL"}, "timestamp": {"S": TIME}})
    done = command.invoke(app, ["correct", "AAPL", TIME, "--withdraw", "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert (answer["sent"], answer["stored"], answer["session"]) == (True, True, "2026-03-12")
    assert (answer["after"]["price"], answer["after"]["revision"]) == (0, 1)
    lines = [json.loads(line) for key in deployment.objects("raw-data/") for line in deployment.lines(key)]
    assert ["price:withdrawn", "previous_close:withdrawn"] in [line.get("suspect") for line in lines]


def test_what_is_not_stored_in_time_is_said_to_be_on_the_stream(
    command: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correct_command, "sleep", lambda seconds: None)
    done = command.invoke(app, ["correct", "AAPL", TIME, "--price", "101.25"])
    assert done.exit_code == 0, done.output
    assert f"Sent AAPL at {TIME}, version 1:" in done.output
    assert "It is on the stream and not stored yet" in done.output
    again = command.invoke(app, ["correct", "AAPL", TIME, "--price", "101.25", "--json"])
    assert (json.loads(again.stdout)["sent"], json.loads(again.stdout)["stored"]) == (True, False)


def test_the_second_of_two_quick_corrections_is_told_to_run_again(
    deployment: LocalDeployment, command: CliRunner
) -> None:
    first = correct.plan(deployment, "AAPL", TIME, {"price": Decimal("101.25")}, withdraw=False)
    correct.send(deployment, first)
    late = command.invoke(app, ["correct", "AAPL", TIME, "--price", "102"])
    assert late.exit_code == 1
    assert "Error: another correction came first; run it again" in late.output
    again = command.invoke(app, ["correct", "AAPL", TIME, "--price", "102"])
    assert f"Stored AAPL at {TIME}, version 2:" in again.output


def test_a_correction_that_was_corrected_since_was_stored(deployment: LocalDeployment, command: CliRunner) -> None:
    first, second = (
        correct.plan(deployment, "AAPL", TIME, {"price": Decimal(price)}, withdraw=False) for price in (101, 102)
    )
    second = replace(second, after=replace(second.after, revision=2))
    deployment.put(first.after, second.after)
    deployment.deliver()
    assert correct.wait(deployment, first, seconds=0)
    assert correct.wait(deployment, second, seconds=0)


def test_it_waits_as_long_as_it_is_told_and_says_so(deployment: LocalDeployment, command: CliRunner) -> None:
    planned = correct.plan(deployment, "AAPL", TIME, {"price": Decimal(101)}, withdraw=False)
    slept: list[float] = []
    progress: list[float] = []
    assert not correct.wait(deployment, planned, seconds=2, sleep=slept.append, on_progress=progress.append)
    assert sum(slept) == 2
    assert progress == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("expired", [False, True], ids=["stored", "in the raw zone only"])
def test_a_withdrawn_print_comes_back_with_its_figures_of_before(
    deployment: LocalDeployment, command: CliRunner, expired: bool
) -> None:
    command.invoke(app, ["correct", "AAPL", TIME, "--volume", "900"])
    command.invoke(app, ["correct", "AAPL", TIME, "--withdraw"])
    if expired:
        deployment.dynamodb.delete_item(TableName="data", Key={"symbol": {"S": "AAPL"}, "timestamp": {"S": TIME}})
    done = command.invoke(app, ["correct", "AAPL", TIME, "--price", "101.25", "--json"])
    assert done.exit_code == 0, done.output
    after = json.loads(done.stdout)["after"]
    assert [after[name] for name in FIGURES] == [106, 106, 106, 101.25, 100, 900]
    assert (after["revision"], json.loads(done.stdout)["stored"]) == (3, True)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (["--high", "90"], "the high 90 is below the low 106: both will be marked suspect"),
        (["--price", "500"], "the price 500 lies outside that quote's own low and high, 106 to 106"),
        (["--price", "50"], "the price 50 is far from 106, which it replaces"),
    ],
)
def test_a_dry_run_says_what_may_not_have_been_meant(command: CliRunner, figures: list[str], words: str) -> None:
    done = command.invoke(app, ["correct", "AAPL", TIME, *figures, "--dry-run"])
    assert f"Look again: {words}." in done.output


def test_a_dry_run_sends_nothing(deployment: LocalDeployment, command: CliRunner) -> None:
    done = command.invoke(app, ["correct", "AAPL", TIME, "--price", "101", "--dry-run"])
    assert "Would send AAPL" in done.output
    deployment.deliver()
    assert len(deployment.objects("raw-data/")) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["AAPL", TIME], "give the figures to change"),
        (["AAPL", TIME, "--price", "1", "--withdraw"], "or --withdraw"),
        (["AAPL", TIME, "--price", "abc"], "expected a number"),
        (["AAPL", TIME, "--price", "106"], "has these figures already"),
        (["AAPL", TIME, "--price=-1"], "negative prices are not supported"),
        (["AAPL", "2026-03-12T13:30:07Z", "--price", "1"], "the newest are of 2026-03-12T13:31:00Z"),
        (["AAPL", "yesterday", "--price", "1"], "expected UTC like"),
        (["MSFT", TIME, "--price", "1"], "nor any other of MSFT"),
    ],
)
def test_what_cannot_be_corrected_is_said(command: CliRunner, arguments: list[str], words: str) -> None:
    done = command.invoke(app, ["correct", *arguments])
    assert done.exit_code in (1, 2)
    assert words in " ".join(done.output.replace("│", " ").split())


def test_a_deployment_of_before_is_not_sent_what_it_would_refuse(deployment: LocalDeployment) -> None:
    with pytest.raises(CorrectionError, match="takes no revisions yet"):
        correct.plan(deployment.of_before(), "AAPL", TIME, {"price": Decimal(1)}, withdraw=False)


def test_a_figure_that_is_no_quotes_is_refused(deployment: LocalDeployment, command: CliRunner) -> None:
    with pytest.raises(QuoteRejectedError, match="out_of_range"):
        correct.plan(deployment, "AAPL", TIME, {"price": Decimal("1e13")}, withdraw=False)
