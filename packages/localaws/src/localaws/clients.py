"""boto3 clients of the local AWS."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import boto3
from botocore.config import Config

from localaws import settings

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    max_pool_connections=32,
    proxies={},  # a proxy for the outside world has no business with our own machine
    s3={"addressing_style": "path"},  # there is no host of a bucket's name, as between containers
)


class Clients(Protocol):
    """What the programs of this package need to call AWS, the local one or any other.

    Attributes
    ----------
    region : str
        Region of every client.
    endpoint_url : str or None
        One address of all services, if there is one.
    """

    region: str
    endpoint_url: str | None

    def client(self, name: str) -> Any:
        """Return the boto3 client of a service."""
        ...


class LocalClients:
    """Clients of the local AWS that sign as a boto3 session does, made once each; safe to share between threads."""

    def __init__(self, signer: Any, endpoint_url: str | None = None) -> None:
        self.region = settings.REGION
        self.endpoint_url: str | None = endpoint_url or settings.endpoint()
        self._signer = signer
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, name: str) -> Any:
        """Return the boto3 client of a service."""
        with self._lock:
            if name not in self._clients:
                self._clients[name] = self._signer.client(name, endpoint_url=self.endpoint_url, config=CONFIG)
            return self._clients[name]


def connect(
    access_key_id: str = "", secret_access_key: str = "", token: str | None = None, core: Any = None
) -> LocalClients:
    """Return clients that sign with this key, or else as the installation's root.

    Parameters
    ----------
    token : str, optional
        Session token of temporary credentials.
    core : botocore session, optional
        What the clients are made by, if they are to behave otherwise than by default.
    """
    if not access_key_id:
        root = settings.root()
        access_key_id, secret_access_key = root.access_key_id, root.secret_access_key
    return LocalClients(boto3.Session(access_key_id, secret_access_key, token, settings.REGION, core))
