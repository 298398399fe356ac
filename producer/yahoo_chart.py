"""One symbol's quote out of Yahoo's chart, through yfinance."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import yfinance
from curl_cffi import requests
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFRateLimitError, YFTickerMissingError

from tapeline.quotes import Quote, QuoteRejectedError, parse_quote, write_timestamp

US_INSTRUMENTS = {"EQUITY", "ETF", "INDEX", "MUTUALFUND"}

# Yahoo's reasons come as exceptions; what yfinance logs besides would be said for every poll.
logging.getLogger("yfinance").setLevel(logging.CRITICAL)
yfinance.config.debug.hide_exceptions = False


class RateLimitedError(RuntimeError):
    """Yahoo said 429: too many requests."""


class UnreachableError(RuntimeError):
    """Yahoo did not answer at all."""


class SymbolError(RuntimeError):
    """Yahoo has no usable quote for this symbol; the message says why, the same each time."""


@dataclass(frozen=True, slots=True)
class Market:
    """The regular hours of the exchange a symbol trades on, as Yahoo states them.

    Attributes
    ----------
    name : str
        Market identifier code of New York's exchange, else Yahoo's own name.
    opens_at, closes_at : datetime or None
        The current or next regular session, in the exchange's time; None if Yahoo does not say.
    """

    name: str
    opens_at: datetime | None
    closes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Chart:
    """What one request gave."""

    quote: Quote
    market: Market


class YahooCharts:
    """Asks Yahoo for charts.

    Parameters
    ----------
    session : requests.Session
        One for the life of the process: it keeps Yahoo's cookie. See `yahoo_session`.
    now : callable
        The present, aware.
    timeout_seconds : float
        How long an answer may take.
    """

    def __init__(
        self,
        session: requests.Session[Any],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout_seconds: float = 10.0,
    ) -> None:
        self._session = session
        self._now = now
        self._timeout_seconds = timeout_seconds

    def fetch(self, symbol: str) -> Chart:
        """Return the newest quote of a symbol.

        One request for five daily bars, and before the first one another for the symbol's time zone. The quote's time
        is the regular market's time that Yahoo states, its previous close the daily close of the date before.

        Raises
        ------
        RateLimitedError, UnreachableError
            Asking for other symbols would not go better.
        SymbolError
            The trouble is this symbol's own.
        """
        ticker = yfinance.Ticker(symbol, session=self._session)  # a Ticker answers from memory the second time
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of pandas, about yfinance, at every poll
                bars = ticker.history(
                    period="5d", interval="1d", auto_adjust=False, keepna=True, timeout=self._timeout_seconds
                )
            about = ticker.get_history_metadata()
            return self._chart(symbol, bars, about)
        except YFRateLimitError as error:
            raise RateLimitedError("Yahoo limits our rate (429)") from error
        except requests.exceptions.HTTPError as error:
            self._forget()
            raise SymbolError(
                f"Yahoo answered {error.response.status_code if error.response else 'an error'}"
            ) from error
        except requests.exceptions.RequestException as error:
            self._forget()
            raise UnreachableError(f"Yahoo cannot be reached ({type(error).__name__})") from error
        except YFTickerMissingError as error:
            self._forget()
            raise SymbolError(f"Yahoo has no prices: {error.rationale}") from error
        except QuoteRejectedError as error:
            raise SymbolError(f"Yahoo's figures are no quote: {error.reason}") from error
        except (YFException, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            # Malformed JSON, a page of HTML, missing parts: yfinance passes on whatever it stumbled over.
            self._forget()
            raise SymbolError(f"Yahoo's answer holds no quote ({type(error).__name__})") from error

    def _forget(self) -> None:
        """Drop yfinance's cached answers: a failed time-zone lookup would else stand for the process's life."""
        YfData.cache_get.cache_clear()

    def _chart(self, symbol: str, bars: Any, about: Mapping[str, Any]) -> Chart:
        time: datetime = about["regularMarketTime"].to_pydatetime()
        today = bars[bars.index.date == time.date()]
        before = bars[bars.index.date < time.date()]["Close"].dropna()
        price = usd(about["regularMarketPrice"])
        previous_close = before.iloc[-1] if len(before) else about.get("chartPreviousClose")
        now = self._now()
        quote = Quote(
            symbol=symbol,
            timestamp=write_timestamp(time),
            open=usd(_first_number(today["Open"])),
            high=max(price, usd(_first_number([about.get("regularMarketDayHigh")], today["High"]))),
            low=min(price, usd(_first_number([about.get("regularMarketDayLow")], today["Low"]))),
            price=price,
            previous_close=usd(_first_number([previous_close])),
            volume=int(_first_number([about.get("regularMarketVolume")], today["Volume"])),
            source="yahoo",
            ingested_at=write_timestamp(now, milliseconds=True),
        )
        return Chart(parse_quote(quote.to_json().encode(), now), _market(about))


def yahoo_session(mirror: str = "") -> requests.Session[Any]:
    """Return a session that looks like a browser, as Yahoo wants it.

    Parameters
    ----------
    mirror : str
        Send all requests for Yahoo's hosts there instead, the host as first part of the path: a mirror, or a test.
    """

    class Redirected(requests.Session[Any]):
        def request(self, method: Any, url: str, *arguments: Any, **options: Any) -> Any:
            parts = urlsplit(url)
            if f".{parts.hostname}".endswith(".yahoo.com"):
                url = f"{mirror}/{parts.hostname}{parts.path}?{parts.query}"
            return super().request(method, url, *arguments, **options)

    return Redirected(impersonate="chrome") if mirror else requests.Session(impersonate="chrome")


def usd(value: float) -> Decimal:
    """Return a price as the exchange wrote it.

    Yahoo keeps many prices as 32-bit floats and sends them with the digits that come of it.

    >>> usd(258.6400146484375), usd(189.235), usd(0.1)
    (Decimal('258.64'), Decimal('189.235'), Decimal('0.1'))
    """
    single = np.float32(value)
    return Decimal(str(single) if float(single) == value else repr(float(value)))


def _first_number(*candidates: Any) -> float:
    for values in candidates:
        for value in values:
            if value is not None and math.isfinite(value):
                return float(value)
    raise LookupError("Yahoo left out a figure of today")


def _market(about: Mapping[str, Any]) -> Market:
    in_new_york = about.get("exchangeTimezoneName") == "America/New_York"
    is_us = in_new_york and about.get("instrumentType") in US_INSTRUMENTS
    name = "XNYS" if is_us else str(about.get("fullExchangeName") or about.get("exchangeName") or "The exchange")
    regular = (about.get("currentTradingPeriod") or {}).get("regular") or {}
    opens_at, closes_at = regular.get("start"), regular.get("end")
    return Market(
        name, opens_at.to_pydatetime() if opens_at else None, closes_at.to_pydatetime() if closes_at else None
    )
