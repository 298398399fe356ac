"""The deployment behind the Airflow connection ``aws_default``, and what templates may ask of it.

Names of everything are outputs of the stack that the environment variable TAPELINE_STACK names (``tapeline`` by
default). They are looked up when a task runs, never when a file is parsed: templates say ``{{ names().bucket_name }}``
for a name and ``{{ sql('FILE', …) }}`` for a statement of include/sql.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapeline.aws.clients import Clients
    from tapeline.aws.deployment import Deployment

AWS_CONNECTION = "aws_default"


@cache
def deployment() -> Deployment:
    """Return the deployment, looked up once in a process."""
    from tapeline.aws.deployment import DEFAULT_NAME, find_deployment

    return find_deployment(connect(), os.environ.get("TAPELINE_STACK") or DEFAULT_NAME)


def connect() -> Clients:
    """Return clients that the provider's hook makes, so that all the connection says holds.

    That is its role, its region, the endpoint of each service, ``verify`` and ``config_kwargs``; what these leave open
    is as everywhere in Tapeline.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    from tapeline.aws import clients

    hook = AwsBaseHook(aws_conn_id=AWS_CONNECTION)
    endpoint_url = hook.conn_config.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
    defaults = clients.LOCAL_CONFIG if endpoint_url else clients.CONFIG

    def make(service: str) -> Any:
        of_service = AwsBaseHook(aws_conn_id=AWS_CONNECTION, client_type=service)
        return of_service.get_client_type(config=defaults.merge(of_service.config))

    region = hook.get_session().region_name or ""
    return clients.Clients("local" if endpoint_url else "aws", region, make, endpoint_url)


def sql(name: str, values: Mapping[str, object] | None = None, **more: object) -> str:
    """Return a statement of include/sql, with those of the values that it takes in place of its defaults."""
    from tapeline.lake import sql_files

    file = sql_files.load(name)
    return file.render(file.taken({**(values or {}), **more}), bucket=deployment().outputs.bucket_name)


MACROS = {"names": lambda: deployment().outputs, "sql": sql}
