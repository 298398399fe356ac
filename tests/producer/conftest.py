from __future__ import annotations

from collections.abc import Iterator

import pytest
import yfinance

from tests.producer.market_data_server import ChartServer


@pytest.fixture(scope="session", autouse=True)
def _yfinance_keeps_its_caches_to_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))


@pytest.fixture
def charts_server() -> Iterator[ChartServer]:
    server = ChartServer()
    yield server
    server.close()
