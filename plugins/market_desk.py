"""Registers the market desk with Airflow's UI: its page, its server and the strip of lights; see `tapeline.desk`."""

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

HOME = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
STRIP = {"name": "Market desk lights", "bundle_url": f"{HOME}/market-desk/static/strip.js"}


class MarketDeskPlugin(AirflowPlugin):
    """The desk for the api-server; every other program of Airflow learns only that there is one."""

    name = "market_desk"
    external_views = [  # noqa: RUF012 - Airflow wants lists
        {
            "name": "Market desk",
            "href": f"{HOME}/market-desk/",
            "destination": "nav",
            "url_route": "market-desk",
            "nav_top_level": True,
        }
    ]
    react_apps = [  # noqa: RUF012
        {**STRIP, "destination": "dashboard", "url_route": "market-desk-dashboard"},
        {**STRIP, "destination": "dag", "url_route": "market-desk-strip"},
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the desk's server, imported only where it is asked for."""
        from tapeline.airflow import desk_access

        return [{"app": desk_access.app(), "url_prefix": "/market-desk", "name": "Market desk"}]
