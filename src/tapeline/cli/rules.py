"""The commands of alert rules: check and try files, apply them, see what is in force, and mute."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.table import Table

from producer.bar_columns import read_columns
from tapeline.aws.deployment import DEFAULT_NAME, Deployment
from tapeline.cli.errors import CommandError
from tapeline.cli.options import AsJson, StackName, Target, deployment_of
from tapeline.cli.terminal import console, errors, print_json, slow_status
from tapeline.lake import athena, baselines, sql_files
from tapeline.market.alerting.baselines import LEAST_SESSIONS
from tapeline.market.alerting.files import files_of, read_files
from tapeline.market.alerting.in_force import Version
from tapeline.market.alerting.minutes import trading_of
from tapeline.market.alerting.past import Past
from tapeline.market.alerting.rules import EVERYTHING, RuleSet
from tapeline.market.dates import trading_date
from tapeline.market.quotes import read_timestamp, timestamp_of
from tapeline.market.sessions import ended_session, read_key
from tapeline.operations.rule_versions import RuleVersions
from tapeline.reports.past_page import past_page

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Alert rules: what people are told of, as YAML files that anybody can read; see docs/rules.md.

    Example: `tapeline rules test include/rules --bars bars.parquet`""",
)

SHOWN_ALERTS = 40

LEARNT_FROM = timedelta(days=30)
"""How far before the first date the lake's quotes are read, to learn what is usual."""

Files = Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.", metavar="FILE...")]


@app.command()
def check(files: Files) -> None:
    """Read rule files and say what they ask for, or the first thing that is wrong, with file and line.

    Example: `tapeline rules check include/rules`
    """
    rules = read_files(files).rules
    console.print(_table(rules))
    console.print(f"{len(rules.rules)} rules in {len(files_of(files))} files: all well.")


@app.command("list")
def list_rules(target: Target = "local", stack_name: StackName = DEFAULT_NAME, as_json: AsJson = False) -> None:
    """Show the rules in force, who applied them and when.

    Example: `tapeline rules list --json | jq '.rules[].name'`
    """
    versions = RuleVersions(deployment_of(target, stack_name))
    pointer = versions.pointer()
    if not pointer.newest:
        raise CommandError("no rules have been applied yet: `tapeline rules apply include/rules`")
    rules, newest = versions.read(pointer.newest), pointer.versions[-1]
    mutes = [mute for mute in pointer.mutes if mute.until > time.time()]
    if as_json:
        print_json({"version": asdict(newest), **rules.to_document(), "mutes": [asdict(mute) for mute in mutes]})
        return
    console.print(f"Version {newest.number}, by {newest.by} at {newest.at}{_waits(newest)}")
    console.print(_table(rules))
    for mute in mutes:
        console.print(f"Muted until {timestamp_of(mute.until)}: {mute.rule} on {mute.symbol}, by {mute.by}")


@app.command()
def apply(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Rule files, or folders of them: all rules there shall be.", metavar="FILE..."),
    ] = None,
    version: Annotated[int | None, typer.Option(help="Instead of files, go back to this version.")] = None,
    by: Annotated[str, typer.Option(help="Who applies them, for the history.", envvar="USER")] = "unknown",
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
) -> None:
    """Put rules in force, all together, a minute from now; no deployment is needed.

    Files say by `based_on` which version they were made from, as `tapeline rules export` writes it; if somebody else
    has applied another meanwhile, they are refused. Files without it are taken while nothing was applied.

    Example: `tapeline rules apply include/rules` or `tapeline rules apply --version 3`
    """
    if bool(files) == bool(version):
        raise CommandError("expected rule files, or --version with the number of one to go back to")
    found = read_files(files) if files else None
    versions = RuleVersions(deployment_of(target, stack_name))
    if found:
        applied = versions.apply(found.rules, based_on=found.based_on, by=by)
    else:
        applied = versions.go_back(version or 0, by=by)
    console.print(f"Version {applied.number} holds from {timestamp_of(applied.holds_from)} on.")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write the rules.", metavar="FILE")],
    version: Annotated[int | None, typer.Option(help="Another version than the newest.")] = None,
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
) -> None:
    """Write the rules of a version to a file that `tapeline rules apply` takes.

    Example: `tapeline rules export rules.yaml`
    """
    versions = RuleVersions(deployment_of(target, stack_name))
    newest = versions.pointer().newest
    rules = versions.read(version or newest)
    text = yaml.safe_dump({"based_on": newest, **rules.to_document()}, sort_keys=False, width=110)
    file.write_text(f"---\n{text}", encoding="utf-8")
    console.print(f"Version {version or newest} is in {file}; change it, then `tapeline rules apply {file}`.")


@app.command()
def history(target: Target = "local", stack_name: StackName = DEFAULT_NAME, as_json: AsJson = False) -> None:
    """List the versions that were applied, newest first: when, by whom, and from when on they hold."""
    pointer = RuleVersions(deployment_of(target, stack_name)).pointer()
    if as_json:
        print_json([asdict(version) for version in reversed(pointer.versions)])
        return
    table = Table("Version", "Applied", "By", "Holds from", "", box=None)
    for version in reversed(pointer.versions):
        table.add_row(str(version.number), version.at, version.by, timestamp_of(version.holds_from), version.note)
    console.print(table)


@app.command()
def learn(
    session: Annotated[str, typer.Argument(help="The newest session to learn from.", show_default="the newest")] = "",
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
) -> None:
    """Let the stream know what is usual for each symbol, from the curated tables, a minute from now.

    The DAG daily_rollup does so after each session.

    Example: `tapeline rules learn 2026-03-12`
    """
    key = read_key(session, datetime.now(UTC)).key if session else ended_session(datetime.now(UTC)).key
    deployment = deployment_of(target, stack_name)
    with slow_status(f"Learning from the sessions up to {key}"):
        learnt, symbols = baselines.learn(deployment, key)
    if not symbols:
        raise CommandError(f"no symbol has {LEAST_SESSIONS} sessions in the curated tables up to {key}: nothing learnt")
    held = RuleVersions(deployment).learn(learnt)
    if held.session > key:
        console.print(f"The stream knows later sessions, up to {held.session}, and keeps those.")
        return
    console.print(f"Baselines of {symbols} symbols up to {held.session} hold from {timestamp_of(held.holds_from)} on.")


@app.command()
def mute(
    rule: Annotated[str, typer.Argument(help="Name of a rule, or * for all.")],
    symbol: Annotated[str, typer.Option(help="On one symbol only.")] = "*",
    hours: Annotated[float, typer.Option(help="For so long.", min=0.1, max=24 * 14)] = 24,
    by: Annotated[str, typer.Option(help="Who mutes it, for the list.", envvar="USER")] = "unknown",
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
) -> None:
    """Silence a rule for everyone, from a minute ahead; its alerts are kept with the quotes, and not sent.

    Example: `tapeline rules mute trend --symbol NVDA --hours 4`
    """
    versions = RuleVersions(deployment_of(target, stack_name))
    newest = versions.pointer().newest
    names = [known.name for known in versions.read(newest).rules] if newest else []
    if rule != EVERYTHING and rule not in names:
        raise CommandError(
            f"expected the name of a rule in force ({', '.join(names) or 'there is none'}), found {rule!r}"
        )
    muted = versions.mute(symbol, rule, until=time.time() + hours * 3600, by=by)
    console.print(f"Muted from {timestamp_of(muted.holds_from)} until {timestamp_of(muted.until)}: {rule} on {symbol}.")


@app.command("test")
def try_past(
    files: Files,
    bars: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet of bars: symbol, timestamp (start), open, high, low, close, volume."),
    ] = None,
    first: Annotated[str, typer.Option("--from", help="First date that counts; those before only teach.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last date.")] = "",
    page: Annotated[Path | None, typer.Option(help="Write a page with charts here, such as past.html.")] = None,
    as_json: AsJson = False,
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
) -> None:
    """Say what rules would have sent over the past, by the stream's own code, and what came after.

    The past is a file of bars, which needs no deployment and of which a bar counts at its end, or without --bars the
    quotes of the lake. What is usual for a symbol is learnt from the sessions before, at least 5 of them; of the lake
    those of the month before --from are read for it.

    Example: `tapeline rules test include/rules --from 2026-03-12 --to 2026-03-13`
    """
    rules = read_files(files).rules
    past = Past(rules, _day(first), keeps_prices=page is not None)
    if bars:
        _through_bars(past, bars, _day(last))
    else:
        _through_lake(past, deployment_of(target, stack_name), _day(first), _day(last))
    past.finish()
    if not past.sessions:
        raise CommandError("no session of that time has prices; `tapeline query completeness` says what the lake has")
    if page:
        page.write_text(past_page(past), encoding="utf-8")
        errors.print(f"The page is {page}.")
    if as_json:
        print_json(past.summary())
    else:
        _show(past)


def _through_bars(past: Past, bars: Path, last: str) -> None:
    with slow_status(f"Reading {bars.name}"):
        columns = read_columns(bars)
    with slow_status(f"{len(past.rules.rules)} rules over {columns.rows:,} bars"):
        for row in columns.regular(until=last):
            past.bar(*row)
    for problem in columns.problems:
        errors.print(f"[yellow]Left out:[/] {problem}", markup=True)


def _through_lake(past: Past, deployment: Deployment, first: str, last: str) -> None:
    newest = last or trading_date(datetime.now(UTC)).isoformat()
    begin = date.fromisoformat(first or newest) - LEARNT_FROM
    statement = sql_files.load("rules/quotes").render({"first_session": begin.isoformat(), "last_session": newest})
    with slow_status(f"The quotes from {begin} to {newest}"):
        for row in athena.query(deployment, statement):
            moment = read_timestamp(row["quoted_at"]).timestamp()
            change, volume = row["change_pct"], row["volume"] or 0
            past.quote(row["symbol"], trading_of(row["dt"]), moment, row["price"], change, volume)


def _table(rules: RuleSet) -> Table:
    table = Table("Rule", "For", "Fires", "Severity", "Audience", box=None)
    for rule in rules.rules:
        state = "" if rule.enabled else " (off)"
        table.add_row(rule.name + state, ", ".join(rule.symbols), rule.wish, rule.severity, rule.audience)
    return table


def _waits(version: Version) -> str:
    return f"; it holds from {timestamp_of(version.holds_from)} on" if version.holds_from > time.time() else ""


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise CommandError(f"expected a date such as 2026-03-12, found {text!r}") from None


def _show(past: Past) -> None:
    table = Table("When (UTC)", "Symbol", "Rule", "Price", "30 min", "60 min", "Close", "What", box=None)
    for alert in past.alerts[-SHOWN_ALERTS:]:
        after = [alert.change_after(name) for name in ("30min", "60min", "close")]
        table.add_row(alert.time, alert.symbol, alert.rule, f"{alert.price:,.2f}", *after, alert.fact)
    console.print(table)
    if len(past.alerts) > SHOWN_ALERTS:
        console.print(f"The newest {SHOWN_ALERTS} of {len(past.alerts):,} alerts; --json has all.")
    figures = past.summary()
    console.print(
        f"{figures['sessions']} sessions, {figures['symbols']} symbols: {figures['per_symbol_session']:.2f} alerts per "
        f"symbol and session, of them trends {figures['trends_per_symbol_session']:.2f}. "
        f"Trends reversed within 30 minutes: {figures['reversed_30min_pct']:.1f} %, within 60: "
        f"{figures['reversed_60min_pct']:.1f} %.\n"
        f"A reader of the audience `unusual` would have had {figures['messages_per_day']:.1f} messages a day "
        f"(usual day {figures['messages_per_usual_day']:.0f}), of everything "
        f"{figures['messages_per_day_everything']:.1f}, in the worst hour {figures['messages_worst_hour']}."
    )
    if figures["symbol_sessions_without_baseline"]:
        console.print(
            f"{figures['symbol_sessions_without_baseline']} of {figures['symbol_sessions']} sessions of symbols had no "
            "baseline yet: rules that need one were silent there."
        )
