"""What the commands `yahoo` and `yahoo-stream` take, and the sources they make; yfinance takes a second to import."""

from __future__ import annotations

from typing import Annotated

import typer

from producer.options import SymbolsOption, symbols_of
from tapeline.stream.announcement import Announcement
from tapeline.stream.source import DEFAULT_SYMBOLS, Source

_SYMBOLS = ",".join(DEFAULT_SYMBOLS)


def open_poll(
    symbols: SymbolsOption = _SYMBOLS,
    every: Annotated[float, typer.Option(help="Seconds between two requests for a symbol.", min=1.0)] = 30.0,
    url: Annotated[str, typer.Option(help="Ask here instead of Yahoo: a mirror, or a test.")] = "",
) -> tuple[Source, Announcement]:
    """Ask Yahoo for quotes again and again; waits while the market is closed. For personal use only, says Yahoo."""
    from producer.sources.yahoo.chart import YahooCharts, yahoo_session
    from producer.sources.yahoo.poll import YahooSource

    source = YahooSource(symbols_of(symbols), YahooCharts(yahoo_session(url)), every)
    return source, Announcement("yahoo", symbols_of(symbols), every, source.trouble)


def open_stream(
    symbols: SymbolsOption = _SYMBOLS,
    url: Annotated[str, typer.Option(help="Ask here for charts instead of Yahoo: a mirror, or a test.")] = "",
    stream_url: Annotated[str, typer.Option(help="Listen here instead, such as ws://127.0.0.1:8081.")] = "",
) -> tuple[Source, Announcement]:
    """Listen to the quotes Yahoo pushes, in regular trading hours. For personal use only, says Yahoo."""
    from producer.sources.yahoo.chart import YahooCharts, yahoo_session
    from producer.sources.yahoo.stream import YahooStreamSource

    source = YahooStreamSource(symbols_of(symbols), YahooCharts(yahoo_session(url)), stream_url)
    return source, Announcement("yahoo-stream", symbols_of(symbols), 0.0, source.trouble)
