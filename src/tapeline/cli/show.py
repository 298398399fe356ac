"""How lights, quotes and a reconciliation look on a terminal, and a quote in JSON for scripts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tapeline.market.durations import words
from tapeline.market.quotes import read_timestamp
from tapeline.operations.health import Readings, exit_code, is_green
from tapeline.operations.ledger import DIFFERENCES
from tapeline.operations.light import Colour, Light
from tapeline.operations.reconcile import Reconciliation
from tapeline.stream.tables import Item

_MARKS = {
    Colour.GREEN: "[green]●[/]",
    Colour.GREY: "[dim]○[/]",
    Colour.UNJUDGED: "[yellow]?[/]",
    Colour.YELLOW: "[yellow]▲[/]",
    Colour.RED: "[red]✗[/]",
}
_SHOWN_SYMBOLS = 60
_ARROWS = {"up": "[green]↗[/]", "down": "[red]↘[/]"}

_MEANINGS = {
    "accepted_but_not_stored": "accepted by Kinesis, but not in DynamoDB (nor rejected)",
    "accepted_but_not_in_raw_zone": "accepted by Kinesis, but not in the raw zone (nor rejected)",
    "refused_but_not_in_rejected": "no quotes, and not under rejected/ either",
    "stored_but_not_in_raw_zone": "in DynamoDB, but not in the raw zone",
    "in_raw_zone_but_not_stored": "in the raw zone, but not in DynamoDB",
}
assert set(_MEANINGS) == set(DIFFERENCES)  # noqa: S101 - a difference without words would show nothing


def status(console: Console, readings: Readings, lights: list[Light]) -> None:
    """Show the page: every light, what to do about those that are not green, the newest quotes."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for light in lights:
        table.add_row(_MARKS[light.colour], light.name, escape(light.reading))
    console.print(table)
    for light in lights:
        if light.next_step and light.colour not in (Colour.GREEN, Colour.GREY):
            console.print(f"\n{_MARKS[light.colour]} [bold]{light.name}[/]: {escape(light.next_step)}")
            for line in light.log:
                console.print(f"    [dim]{escape(line)}[/]")
    if readings.newest:
        console.print()
        console.print(_newest(readings))
    if is_green(lights):
        console.print("\n[green]All green.[/]")
    else:
        verdict = "Not green." if exit_code(lights) == 1 else "Not all could be judged (`?`)."
        console.print(f"\n{verdict} More on each light: docs/runbook.md")


def _newest(readings: Readings) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 1))
    for name in ("symbol", "price USD", "change", "newest quote", "came in", "source", ""):
        table.add_column(name, justify="right" if name in ("price USD", "change", "came in") else "left")
    quiet = set(readings.feed.silent)
    by_need = sorted(readings.newest, key=lambda quote: (quote.symbol not in quiet, not quote.suspect, quote.symbol))
    for quote in by_need[:_SHOWN_SYMBOLS]:
        change = Decimal(quote.change_percent or 0)
        percent = f"{change:+.2f} %" if quote.change_percent else "-"
        table.add_row(
            Text(quote.symbol, style="red" if quote.symbol in quiet else ""),
            Text(usd(Decimal(quote.price)), style="yellow" if quote.suspect else ""),
            Text(percent, style="green" if change > 0 else "red" if change < 0 else "dim"),
            quote.timestamp,
            f"{words(quote.age(readings.at))} ago",
            quote.source,
            Text(f"suspect: {', '.join(quote.suspect)}" if quote.suspect else "", style="yellow"),
        )
    if len(readings.newest) > _SHOWN_SYMBOLS:
        table.add_row(f"… and {len(readings.newest) - _SHOWN_SYMBOLS} more (--json has all)")
    return table


def reconciliation(console: Console, result: Reconciliation) -> None:
    """Show the counts, and what disagrees."""
    counts = result.counts
    rejected = escape(", ".join(f"{reason} {count:,}" for reason, count in counts.rejected.items()))
    rows = (
        ("accepted by Kinesis", counts.accepted_records, "records that the stream still holds"),
        ("  quotes", counts.accepted_quotes, f"{counts.accepted_keys:,} distinct"),
        ("  no quotes", counts.refused_records, ""),
        ("in DynamoDB", counts.stored_quotes, ""),
        ("in the raw zone", counts.raw_quotes, f"{counts.expired_quotes:,} of them past their time in DynamoDB"),
        ("rejected", sum(counts.rejected.values()), rejected),
        ("dead letters", result.dead_letters, "batches given up" if result.dead_letters else ""),
    )
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim", overflow="fold")
    for name, number, note in rows:
        table.add_row(name, f"{number:,}", note)
    console.print(table)
    for difference in result.differences:
        console.print(f"[red]✗ {difference.count:,} {_MEANINGS[difference.name]}[/]")
        for example in difference.examples:
            console.print(f"    {escape(example)}")
        if difference.count > len(difference.examples):
            console.print(f"    … and {difference.count - len(difference.examples):,} more")
    if result.waiting_for:
        names = escape(", ".join(result.waiting_for[:8])) + (" …" if len(result.waiting_for) > 8 else "")
        text = f"Delivery has not caught up for {names}: see `tapeline status`, or `--wait` longer."
        console.print(f"[yellow]▲[/] {text}")
    took = f"[dim]({words(result.seconds)})[/]"
    if result.agrees:
        console.print(f"[green]✓ All agree.[/] {took}")
    else:
        console.print(f'They disagree. What to do: docs/runbook.md, "Reconcile disagrees". {took}')


def quote_line(item: Item) -> str:
    """Return a stored quote as one line."""
    moment = read_timestamp(item["timestamp"]["S"])
    change = _number(item, "change_percent")
    colour = "dim" if not change else "green" if change > 0 else "red"
    percent = f"{'-':>8}  " if change is None else f"{change:>+8.2f} %"
    averages = [_number(item, name) for name in ("moving_average_5", "moving_average")]
    means = " ".join(f"{'-':>11}" if value is None else f"{usd(value):>11}" for value in averages)
    marks = [f"[bold yellow]▲ {kind.replace('_', ' ')}[/]" for kind in sorted(item.get("alerts", {}).get("SS", ()))]
    if suspect := [reason["S"] for reason in item.get("suspect", {}).get("L", ())]:
        marks.append(f"[yellow]suspect: {escape(', '.join(suspect))}[/]")
    if "late" in item:
        marks.append("[dim]late[/]")
    trend = _ARROWS.get(item.get("trend", {}).get("S", ""), " ")
    return (
        f"[dim]{moment:%Y-%m-%d %H:%M:%S}[/] {escape(item['symbol']['S']):<8}{usd(Decimal(item['price']['N'])):>12} "
        f"[{colour}]{percent}[/] [dim]averages[/] {means} {trend} {' '.join(marks)}"
    ).rstrip()


def usd(amount: Decimal) -> str:
    """Return an amount with two decimals, one below a dollar with four digits that say something."""
    if not amount or abs(amount) >= 1:
        return f"{amount:,.2f}"
    return f"{amount:.{3 - amount.adjusted()}f}" if amount.adjusted() > -12 else f"{amount:.3e}"


def _number(item: Item, name: str) -> Decimal | None:
    """Return a number of an item; None if it has none, or NULL, as where a figure it needs is suspect."""
    return Decimal(item[name]["N"]) if "N" in item.get(name, {}) else None


def plain_item(item: Item) -> dict[str, Any]:
    """Return an item as plain values, numbers as JSON has them."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: Item) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        number = Decimal(content)
        return int(number) if number == number.to_integral_value() and "." not in content else float(number)
    if kind == "L":
        return [_plain(entry) for entry in content]
    if kind == "SS":
        return sorted(content)
    return None if kind == "NULL" else content
