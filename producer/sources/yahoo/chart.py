"""One symbol's quote out of Yahoo's chart service, asked with yfinance's connection: its cookie, crumb and consent."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote as percent_encoded
from urllib.parse import urlsplit

import yfinance
from curl_cffi import requests
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFRateLimitError

from producer.sources.yahoo.answer import Market, UnusableAnswerError, read_answer
from tapeline.market.quotes import Quote, QuoteRejectedError, parse_quote, write_timestamp
from tapeline.stream.batch import fault

CHART_URL = "https://query2.finance.yahoo.com/v8/finance/chart/"

LONGEST_REQUEST_SECONDS = 10.0
"""No request may take longer, those that yfinance makes by itself included: what hangs looks like a quiet market."""

# Yahoo's reasons come as exceptions; what yfinance logs besides would come with every poll.
logging.getLogger("yfinance").setLevel(logging.CRITICAL)
yfinance.config.debug.hide_exceptions = False


class RateLimitedError(RuntimeError):
    """Yahoo said 429: too many requests."""


class UnreachableError(RuntimeError):
    """Yahoo did not answer at all, or that it cannot."""


class SymbolError(RuntimeError):
    """Yahoo has no usable quote for this symbol; the message says why, the same each time."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What one request gave."""

    quote: Quote
    market: Market


class YahooCharts:
    """Asks Yahoo for charts, with one `yahoo_session` for the life of the process: it keeps Yahoo's cookie."""

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
        """Return the newest quote of a symbol, by one request for five daily bars.

        The quote's time is the regular market's time that Yahoo states; its figures are as `read_answer` says.

        Raises
        ------
        RateLimitedError, UnreachableError
            Asking for other symbols would not go better.
        SymbolError
            The trouble is this symbol's own.
        """
        answer, now = self._ask(symbol), self._now()
        try:
            quote, market = read_answer(answer, symbol, write_timestamp(now, milliseconds=True))
        except UnusableAnswerError as error:
            raise SymbolError(f"{error}{_hint(symbol)}") from error
        except Exception as error:
            raise SymbolError(own_fault(error)) from error
        try:
            return Chart(parse_quote(quote.to_json().encode(), now), market)
        except QuoteRejectedError as error:
            raise SymbolError(f"Yahoo's figures are no quote: {error}") from error

    def _ask(self, symbol: str) -> Any:
        data = YfData(session=self._session)
        parameters = {"range": "5d", "interval": "1d", "includePrePost": False, "events": "div,splits,capitalGains"}
        try:
            response = data.get(CHART_URL + percent_encoded(symbol, safe="^="), parameters, self._timeout_seconds)
        except YFRateLimitError as error:
            raise RateLimitedError("Yahoo limits our rate (429)") from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise UnreachableError(f"Yahoo cannot be reached ({type(error).__name__})") from error
        except (YFException, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise UnreachableError(f"Yahoo's cookie or consent page is not as expected: {error}") from error
        if response.status_code >= 500:
            raise UnreachableError(f"Yahoo answered {response.status_code}")
        try:
            return response.json()
        except (ValueError, RecursionError):  # a page of HTML, or half an answer
            if response.status_code >= 400:
                raise SymbolError(f"Yahoo answered {response.status_code}") from None
            words = "that it is down" if "Will be right back" in response.text else "no JSON"
            raise SymbolError(f"Yahoo's answer holds no quote: it says {words}") from None


def yahoo_session(mirror: str = "", longest_seconds: float = LONGEST_REQUEST_SECONDS) -> requests.Session[Any]:
    """Return a session that looks like a browser, as Yahoo wants it.

    Parameters
    ----------
    mirror : str
        Send all requests for Yahoo's hosts there instead, the host as first part of the path: a mirror, or a test.
    longest_seconds : float
        No request takes longer, whatever its own timeout says.
    """

    class Patient(requests.Session[Any]):
        def request(self, method: Any, url: str, *arguments: Any, **options: Any) -> Any:
            parts = urlsplit(url)
            if mirror and f".{parts.hostname}".endswith(".yahoo.com"):
                url = f"{mirror}/{parts.hostname}{parts.path}?{parts.query}"
            options["timeout"] = min(options.get("timeout") or longest_seconds, longest_seconds)
            return super().request(method, url, *arguments, **options)

    return Patient(impersonate="chrome")


def own_fault(error: Exception) -> str:
    """Return that our own code failed on what Yahoo sent, and where: the other symbols go on, and we can find it."""
    return f"our own code failed on what Yahoo sent ({fault(error)})"


def _hint(symbol: str) -> str:
    """Return how Yahoo writes what others write with a dot."""
    if re.fullmatch(r"[A-Z]+\.[A-Z]", symbol):
        return f". If a class of shares is meant, Yahoo writes {symbol.replace('.', '-')}"
    return ""
