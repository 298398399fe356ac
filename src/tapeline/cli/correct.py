"""`tapeline correct`: fix a stored quote, or withdraw a print."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from time import sleep
from typing import Annotated

import typer

from tapeline.aws.deployment import DEFAULT_NAME
from tapeline.aws.printable import printable
from tapeline.cli.options import AsJson, StackName, Target, deployment_of
from tapeline.cli.terminal import errors, print_json
from tapeline.market.quotes import FIGURES
from tapeline.operations.correct import Correction, plan, send, wait


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"expected a number such as 101.25, found {text!r}") from None


Usd = Annotated[Decimal | None, typer.Option(parser=_number, metavar="USD")]


def correct(
    symbol: Annotated[str, typer.Argument(help="Ticker, such as AAPL.")],
    timestamp: Annotated[str, typer.Argument(help="Time of the quote exactly as it is stored, in UTC.")],
    price: Usd = None,
    previous_close: Usd = None,
    day_open: Annotated[Decimal | None, typer.Option("--open", parser=_number, metavar="USD")] = None,
    high: Usd = None,
    low: Usd = None,
    volume: Annotated[Decimal | None, typer.Option(parser=_number, metavar="SHARES")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the print out: it counts in nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    as_json: AsJson = False,
) -> None:
    """Fix a stored quote, or withdraw a print, by a version with a higher revision.

    DynamoDB has it within seconds, which is waited for, and who got an alert on the wrong figure gets a correction.
    Curated tables and reports follow when the session is rolled up again; the command says how. The raw zone keeps
    every version. A withdrawn print that is given a price again has its other figures of before.

    Examples: `tapeline correct AAPL 2026-03-12T14:30:00Z --price 101.25`,
    `tapeline correct AAPL 2026-03-12T14:30:00Z --withdraw`
    """
    options = zip(FIGURES, (day_open, high, low, price, previous_close, volume), strict=True)
    figures = {name: figure for name, figure in options if figure is not None}
    if withdraw == bool(figures):
        raise typer.BadParameter("give the figures to change, such as --price 101.25, or --withdraw")
    deployment = deployment_of(target, stack_name)
    with errors.status("Looking for the quote") as line:
        correction = plan(
            deployment,
            symbol.upper(),
            timestamp,
            figures,
            withdraw=withdraw,
            on_progress=lambda number: line.update(f"Looking for the quote: {number:,} objects read"),
        )
    stored = False
    if not dry_run:
        send(deployment, correction)
        with errors.status("Sent; waiting until it is stored") as line:
            stored = wait(
                deployment,
                correction,
                sleep=sleep,
                on_progress=lambda seconds: line.update(f"Sent; waiting until it is stored: {seconds:.0f} s"),
            )
    if as_json:
        before, after = (json.loads(quote.to_json()) for quote in (correction.before, correction.after))
        result = {"sent": not dry_run, "stored": stored, "session": correction.session}
        print_json({**result, "before": before, "after": after})
    else:
        typer.echo(printable(_in_words(correction, sent=not dry_run, stored=stored, target=target), keep="\n"))


def _in_words(correction: Correction, *, sent: bool, stored: bool, target: str) -> str:
    before, after = correction.before, correction.after
    changes = [
        f"  {name.replace('_', ' '):<15}{getattr(before, name)} becomes {getattr(after, name)}"
        for name in FIGURES
        if getattr(before, name) != getattr(after, name)
    ]
    version = f"{after.symbol} at {after.timestamp}, version {after.revision}"
    if correction.is_withdrawal:
        changes = [f"  The print at {before.price} is withdrawn: it counts in nothing."]
    changes += [f"  Look again: {oddity}." for oddity in correction.oddities]
    if not sent:
        return "\n".join([f"Would send {version}:", *changes, "Nothing was changed."])
    airflow = "tapeline airflow" if target == "local" else "airflow"
    if not stored:
        changes.append("It is on the stream and not stored yet: `tapeline status` says what holds it up.")
    changes += [
        f"For the curated tables, the report and its mail, run the session again{'' if stored else ' once it is'}:",
        f"  {airflow} backfill create --dag-id daily_rollup --from-date {correction.session} "
        f"--to-date {correction.session} --reprocess-behavior completed",
    ]
    return "\n".join([f"{'Stored' if stored else 'Sent'} {version}:", *changes])
