"""Options that the commands of the sources share."""

from __future__ import annotations

from typing import Annotated

import typer

from tapeline.stream.source import read_symbols

SymbolsOption = Annotated[str, typer.Option("--symbols", help="Tickers as Yahoo spells them, with commas between.")]


def symbols_of(text: str) -> tuple[str, ...]:
    """Read the option `--symbols`.

    Raises
    ------
    typer.BadParameter
        If it names none.
    """
    symbols = read_symbols(text)
    if not symbols:
        raise typer.BadParameter("name at least one symbol, such as --symbols AAPL,MSFT")
    return symbols
