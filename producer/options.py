"""Options that the commands of the sources share."""

from __future__ import annotations

from typing import Annotated

import typer

from tapeline.stream.source import read_symbols

SymbolsOption = Annotated[str, typer.Option("--symbols", help="Tickers as Yahoo spells them, with commas between.")]


def symbols_of(text: str) -> tuple[str, ...]:
    """Read the option `--symbols`; raise `typer.BadParameter` if it names none."""
    if symbols := read_symbols(text):
        return symbols
    raise typer.BadParameter("name at least one symbol, such as --symbols AAPL,MSFT")
