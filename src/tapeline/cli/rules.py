"""The commands of alert rules: `tapeline rules check` and `test`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from producer.bar_columns import read_columns
from tapeline.cli.errors import CommandError
from tapeline.cli.options import AsJson
from tapeline.cli.terminal import console, errors, print_json, slow_status
from tapeline.market.alerting.files import files_of, read_files
from tapeline.market.alerting.past import Past, PastAlert

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Alert rules: what people are told of, as YAML files that anybody can read; see docs/rules.md.

    Example: `tapeline rules test include/rules --bars bars.parquet`""",
)

SHOWN_ALERTS = 40

Files = Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.", metavar="FILE...")]


@app.command()
def check(files: Files) -> None:
    """Read rule files and say what they ask for, or the first thing that is wrong, with file and line.

    Example: `tapeline rules check include/rules`
    """
    rules = read_files(files).rules
    table = Table("Rule", "For", "Fires", "Severity", "Audience", box=None)
    for rule in rules.rules:
        state = "" if rule.enabled else " (off)"
        table.add_row(rule.name + state, ", ".join(rule.symbols), rule.wish, rule.severity, rule.audience)
    console.print(table)
    console.print(f"{len(rules.rules)} rules in {len(files_of(files))} files: all well.")


@app.command("test")
def try_past(
    files: Files,
    bars: Annotated[
        Path, typer.Option(help="CSV or Parquet of bars: symbol, timestamp (start), open, high, low, close, volume.")
    ],
    first: Annotated[str, typer.Option("--from", help="First date that counts; those before only teach.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last date.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what rules would have sent over the past, by the stream's own code, and what came after.

    A bar counts at its end. What is usual for a symbol is learnt from the sessions before, at least 5 of them.

    Example: `tapeline rules test include/rules --bars bars.parquet --from 2026-03-20`
    """
    rules = read_files(files).rules
    past = Past(rules, _day(first))
    with slow_status(f"Reading {bars.name}"):
        columns = read_columns(bars)
    with slow_status(f"{len(rules.rules)} rules over {columns.rows:,} bars"):
        for row in columns.regular(until=_day(last)):
            past.bar(*row)
        past.finish()
    for problem in columns.problems:
        errors.print(f"[yellow]Left out:[/] {problem}", markup=True)
    if as_json:
        print_json(past.summary())
    else:
        _show(past)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise CommandError(f"expected a date such as 2026-03-12, found {text!r}") from None


def _show(past: Past) -> None:
    table = Table("When (UTC)", "Symbol", "Rule", "Price", "30 min", "60 min", "Close", "What", box=None)
    for alert in past.alerts[-SHOWN_ALERTS:]:
        after = [_after(alert, name) for name in ("30min", "60min", "close")]
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


def _after(alert: PastAlert, name: str) -> str:
    price = alert.after.get(name)
    return "" if price is None else f"{(price / alert.price - 1) * 100:+.2f}%"
