"""Which resource a request is about, where the base cannot tell when it asks IAM.

It takes the resource from the request's own words. A request that names a shard iterator, a query or a crawler is then
about everything or about something else, and a policy that names its resources, as the template's do, would be refused
what AWS grants.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from localaws import ministack_names as base

_Finder = Callable[[str, dict[str, Any]], str | None]

_TABLES = "DynamoDB_20120810"
"""DynamoDB's interface to tables, whose requests name their table; that to streams is the same service to the base."""

_DESCRIBE_ALARMS = "cloudwatch:DescribeAlarms"
"""It is about alarms (Service Authorization Reference, Amazon CloudWatch), and a look by prefix about all of them."""

MAX_BODY_BYTES = 16 * 1024
"""Requests that name something indirectly are short; a PutRecords is not read twice."""


def name_resources(workgroup_of_query: Callable[[str], str | None]) -> None:
    """Let the base check the resource that AWS would check.

    Parameters
    ----------
    workgroup_of_query : callable
        Tells the workgroup that a query of Athena ran in, by its id.
    """
    finders: dict[str, _Finder] = {**_FINDERS, "athena": partial(_athena, workgroup_of_query)}
    base_answer = base.RESOURCE_OF.value

    def extract(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> str:
        if service == "monitoring" and base.ACTION_OF(service, method, path, headers, body, query) == _DESCRIBE_ALARMS:
            return f"arn:aws:cloudwatch:{region}:{account}:alarm:*"
        interface, _, operation = headers.get("x-amz-target", "").rpartition(".")
        find = None if interface == _TABLES else finders.get(service)
        is_short = len(body) <= MAX_BODY_BYTES and body.startswith(b"{")
        if find is not None and is_short and (resource := find(operation, json.loads(body))):
            return resource if resource.startswith("arn:") else f"arn:aws:{service}:{region}:{account}:{resource}"
        answer: str = base_answer(service, method, path, headers, body, query, region, account)
        return answer

    base.RESOURCE_OF.set(extract)


def _kinesis(_operation: str, request: dict[str, Any]) -> str | None:
    iterator = base.ITERATORS.value.get(request.get("ShardIterator"))
    return str(iterator["stream_arn"]) if iterator else None


def _dynamodb(_operation: str, request: dict[str, Any]) -> str | None:
    if "ShardIterator" in request:
        return (base.CHANGES_ITERATOR(request["ShardIterator"]) or {}).get("arn")
    return request.get("StreamArn")


def _logs(operation: str, request: dict[str, Any]) -> str | None:
    if operation in ("CreateLogStream", "PutLogEvents", "GetLogEvents"):
        return f"log-group:{request.get('logGroupName')}:log-stream:{request.get('logStreamName')}"
    return None


def _athena(workgroup_of_query: Callable[[str], str | None], operation: str, request: dict[str, Any]) -> str | None:
    if query_id := request.get("QueryExecutionId") or next(iter(request.get("QueryExecutionIds") or ()), None):
        workgroup = workgroup_of_query(query_id)
        return workgroup and f"workgroup/{workgroup}"
    if catalog := request.get("CatalogName"):
        return f"datacatalog/{catalog}"
    if operation == "GetDataCatalog":
        return f"datacatalog/{request.get('Name')}"
    return None


def _glue(operation: str, request: dict[str, Any]) -> str | None:
    if operation.endswith("Crawler"):
        return f"crawler/{request.get('Name')}"
    if operation in ("GetDatabase", "UpdateDatabase", "DeleteDatabase"):
        return f"database/{request.get('Name')}"
    if operation == "CreateDatabase":
        return f"database/{(request.get('DatabaseInput') or {}).get('Name')}"
    # AWS asks for catalog, database and table; `access.check_containers` adds the others to the narrowest.
    table = request.get("TableName") or request.get("Name") or (request.get("TableInput") or {}).get("Name")
    return f"table/{request['DatabaseName']}/{table}" if table and "DatabaseName" in request else None


_FINDERS: dict[str, _Finder] = {
    "dynamodb": _dynamodb,
    "dynamodbstreams": _dynamodb,
    "glue": _glue,
    "kinesis": _kinesis,
    "logs": _logs,
}
