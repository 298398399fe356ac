"""A symbol's past sessions from Yahoo, through yfinance."""

from __future__ import annotations

import math
import warnings
from datetime import date, timedelta
from typing import Any

import yfinance
from curl_cffi import requests
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFRateLimitError

from producer.sources.yahoo.answer import usd
from producer.sources.yahoo.chart import RateLimitedError, UnreachableError, yahoo_session
from tapeline.lake.daily_bars import DailyBar


class YahooHistory:
    """Asks Yahoo for daily bars, one request a call."""

    def __init__(self, session: requests.Session[Any] | None = None, timeout_seconds: float = 30.0) -> None:
        self._session = session or yahoo_session()
        self._timeout_seconds = timeout_seconds

    def fetch(self, symbol: str, first: date, last: date) -> list[DailyBar]:
        """Return the bars of a range, both ends included, as traded (splits taken out, dividends not).

        Rows without a price, which Yahoo has for some days, are left out.

        Raises
        ------
        RateLimitedError, UnreachableError
            Asking for other symbols would not go better: stop, and go on later with what is missing then.
        LookupError
            Yahoo has nothing of this symbol.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                bars = yfinance.Ticker(symbol, session=self._session).history(
                    start=first,
                    end=last + timedelta(days=1),
                    interval="1d",
                    auto_adjust=False,
                    actions=False,
                    timeout=self._timeout_seconds,
                )
        except YFRateLimitError as error:
            raise RateLimitedError("Yahoo limits our rate (429); go on later, what came is kept") from error
        except requests.exceptions.HTTPError as error:
            YfData.cache_get.cache_clear()
            raise LookupError(f"Yahoo answered with an error for {symbol}: {error}") from error
        except requests.exceptions.RequestException as error:
            YfData.cache_get.cache_clear()
            raise UnreachableError(f"Yahoo cannot be reached ({type(error).__name__})") from error
        except (YFException, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            YfData.cache_get.cache_clear()
            raise LookupError(f"Yahoo has no daily prices of {symbol} ({type(error).__name__})") from error
        rows = zip(bars.index, bars["Open"], bars["High"], bars["Low"], bars["Close"], bars["Volume"], strict=True)
        return [
            DailyBar(time.date(), symbol, usd(opened), usd(high), usd(low), usd(close), int(volume))
            for time, opened, high, low, close, volume in rows
            if all(map(math.isfinite, (opened, high, low, close, volume))) and first <= time.date() <= last
        ]
