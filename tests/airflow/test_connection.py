"""The DAGs' clients are those of the Airflow connection, whatever it says."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import SSLError

from tapeline.airflow.connection import connect

SetConnection = Callable[..., None]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> SetConnection:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def set_connection(**extra: Any) -> None:
        document = {
            "conn_type": "aws",
            "login": "AKIA",
            "password": "secret",
            "extra": {"region_name": "eu-west-1"} | extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(document))

    return set_connection


def test_without_an_endpoint_it_is_aws_in_the_region_of_the_connection(connection: SetConnection) -> None:
    connection()
    clients: Any = connect()
    assert (clients.target, clients.region) == ("aws", "eu-west-1")
    assert clients.client("athena").meta.endpoint_url == "https://athena.eu-west-1.amazonaws.com"
    assert clients.client("athena").meta.config.read_timeout == 60  # as of all clients of Tapeline


def test_an_endpoint_is_the_laptops_aws_where_buckets_are_paths(connection: SetConnection) -> None:
    connection(endpoint_url="http://127.0.0.1:4567")
    clients: Any = connect()
    assert clients.target == "local"
    assert clients.client("s3").meta.endpoint_url == "http://127.0.0.1:4567"
    assert clients.client("s3").meta.config.s3["addressing_style"] == "path"


def test_a_service_may_have_an_endpoint_of_its_own(connection: SetConnection) -> None:
    connection(service_config={"sns": {"endpoint_url": "https://sns.vpce.example.com"}})
    clients = connect()
    assert clients.target == "aws"
    assert clients.client("sns").meta.endpoint_url == "https://sns.vpce.example.com"
    assert clients.client("glue").meta.endpoint_url == "https://glue.eu-west-1.amazonaws.com"


def test_its_configuration_comes_before_ours(connection: SetConnection) -> None:
    connection(config_kwargs={"read_timeout": 7, "proxies": {"https": "http://proxy.example.com:3128"}})
    config: Any = connect().client("kinesis").meta.config
    assert (config.read_timeout, config.connect_timeout) == (7, 5)
    assert config.proxies == {"https": "http://proxy.example.com:3128"}


def test_its_certificates_are_those_that_a_client_trusts(connection: SetConnection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"https://127.0.0.1:{server.getsockname()[1]}"
        connection(
            verify="/nowhere/authority.pem",
            service_config={"sts": {"endpoint_url": endpoint}},
            config_kwargs={"retries": {"total_max_attempts": 1}, "read_timeout": 5},
        )
        with pytest.raises(SSLError, match="No such file"):  # before a word is said to the server
            connect().client("sts").get_caller_identity()
