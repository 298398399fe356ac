"""The operations of Athena that have to do with running statements; the base answers the others.

Workgroups, prepared statements, named queries and data catalogs stay with the base, which keeps them well.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws import access
from localaws import ministack_names as base
from localaws.athena import locations
from localaws.athena.errors import refusal_by_glue
from localaws.athena.executions import Execution, Executions
from localaws.athena.pages import Row, read_page
from localaws.athena.pool import Pool
from localaws.athena.statements import Statement, strip_comments
from localaws.clients import Clients
from localaws.extensions import Request, Response, ServiceError, json_response

MAX_RESULTS = 1000

USER_ERROR = (2, 1000)
"""Category and type of a refusal (Athena User Guide, "Athena error catalog")."""


class Athena:
    """Answers Athena's requests.

    Parameters
    ----------
    folder : Path
        State folder of the local AWS.
    aws : Clients
        Whose clients read workgroups, results and the catalog.
    """

    service = "athena"

    def __init__(self, folder: Path, aws: Clients) -> None:
        self._aws = aws
        self._executions = Executions(folder / "athena" / "executions")
        self._pool = Pool(folder)
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations: dict[str, Callable[[Request], Awaitable[dict[str, Any] | None]]] = {
            "StartQueryExecution": self._start,
            "StopQueryExecution": self._stop,
            "GetQueryExecution": self._get,
            "BatchGetQueryExecution": self._batch_get,
            "ListQueryExecutions": self._list,
            "GetQueryResults": self._results,
            "UpdatePreparedStatement": self._update_prepared,
            "GetTableMetadata": self._table_metadata,
        }

    def workgroup_of(self, query_id: str) -> str | None:
        """Return the workgroup that an execution runs in."""
        execution = self._executions.get(query_id)
        return None if execution is None else execution.workgroup

    async def start(self) -> None:
        """Remember earlier executions and have a worker ready."""
        self._executions.load()
        await self._pool.start()

    async def stop(self) -> None:
        """End the workers and what they run."""
        await self._pool.stop()
        for task in list(self._tasks):
            await task

    async def handle(self, request: Request) -> Response | None:
        """Answer an operation, or leave it to the base."""
        operation = self._operations.get(request.operation)
        answer = await operation(request) if operation else None
        return None if answer is None else json_response(answer)

    # Running

    async def _start(self, call: Request) -> dict[str, Any]:
        request = call.json()
        sql = request.get("QueryString") or ""
        if not sql.strip():
            raise _invalid("QueryString must not be empty", AthenaErrorCode="INVALID_INPUT")
        if reason := locations.refusal(strip_comments(sql)):
            raise _invalid(reason, AthenaErrorCode="INVALID_INPUT")
        token = request.get("ClientRequestToken")
        if token and (earlier := self._executions.by_token(token)):
            if earlier.request != request:
                raise _invalid("Idempotent parameters do not match")
            return {"QueryExecutionId": earlier.id}
        workgroup = request.get("WorkGroup") or "primary"
        settings = await self._workgroup(workgroup)
        output = _output(request, settings)
        bucket = output.removeprefix("s3://").partition("/")[0]
        if access.refusal(call.access_key_id, "s3:GetBucketLocation", call.region, f"arn:aws:s3:::{bucket}"):
            raise _invalid(f"Unable to verify/create output bucket {bucket}", AthenaErrorCode="INVALID_INPUT")
        execution = Execution(str(uuid.uuid4()), request, workgroup, output, time.time())
        database = (request.get("QueryExecutionContext") or {}).get("Database") or ""
        if reason := _refusal(call, database):
            execution.end("FAILED", reason, USER_ERROR)
        self._executions.keep(execution)
        if reason:
            return {"QueryExecutionId": execution.id}
        statement = Statement(
            id=execution.id,
            sql=sql,
            database=database,
            output=output,
            workgroup=workgroup,
            parameters=tuple(request.get("ExecutionParameters") or ()),
            scan_limit=int(settings.get("BytesScannedCutoffPerQuery") or 0) or None,
            caller=access.credentials(call.access_key_id),
        )
        task = asyncio.create_task(self._run(execution, statement))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return {"QueryExecutionId": execution.id}

    async def _workgroup(self, name: str) -> dict[str, Any]:
        try:
            answer = await asyncio.to_thread(self._aws.client("athena").get_work_group, WorkGroup=name)
        except ClientError as error:
            raise _invalid(f"WorkGroup {name} is not found.") from error
        if answer["WorkGroup"].get("State") == "DISABLED":
            raise _invalid(f"WorkGroup {name} is disabled.")
        return dict(answer["WorkGroup"].get("Configuration") or {})

    async def _run(self, execution: Execution, statement: Statement) -> None:
        def started() -> bool:
            if not execution.is_over:
                execution.state, execution.started = "RUNNING", time.time()
            return not execution.is_over

        answer = await self._pool.run(statement, started)
        if not execution.is_over:
            if answer is None:
                execution.end("FAILED", "GENERIC_INTERNAL_ERROR: the process that ran the query ended", (1, 233))
            elif answer["state"] == "SUCCEEDED":
                execution.outcome = answer["outcome"]
                execution.scanned = execution.outcome["scanned"]
                execution.end("SUCCEEDED")
            else:
                execution.scanned = answer.get("scanned", 0)
                error = (answer["category"], answer["kind"]) if "category" in answer else None
                execution.end(answer["state"], answer["reason"], error)
        self._executions.keep(execution)

    async def _stop(self, call: Request) -> dict[str, Any]:
        execution = self._find(call.json())
        if not execution.is_over:
            execution.end("CANCELLED", "Query was cancelled by user")
            self._executions.keep(execution)
            self._pool.cancel(execution.id)
        return {}

    # Asking

    def _find(self, request: dict[str, Any]) -> Execution:
        number = request.get("QueryExecutionId") or ""
        execution = self._executions.get(number)
        if execution is None:
            raise _invalid(f"QueryExecution {number} was not found", AthenaErrorCode="INVALID_INPUT")
        return execution

    async def _get(self, call: Request) -> dict[str, Any]:
        return {"QueryExecution": self._find(call.json()).describe()}

    async def _batch_get(self, call: Request) -> dict[str, Any]:
        numbers = call.json().get("QueryExecutionIds") or []
        executions = [execution for number in numbers if (execution := self._executions.get(number))]
        missing = [number for number in numbers if self._executions.get(number) is None]
        return {
            "QueryExecutions": [execution.describe() for execution in executions],
            "UnprocessedQueryExecutionIds": [
                {
                    "QueryExecutionId": number,
                    "ErrorCode": "INVALID_INPUT",
                    "ErrorMessage": f"QueryExecution {number} was not found",
                }
                for number in missing
            ],
        }

    async def _list(self, call: Request) -> dict[str, Any]:
        request = call.json()
        numbers = self._executions.newest_first(request.get("WorkGroup") or "primary")
        start, size = _place(request), int(request.get("MaxResults") or 50)
        answer: dict[str, Any] = {"QueryExecutionIds": numbers[start : start + size]}
        return answer if start + size >= len(numbers) else {**answer, "NextToken": str(start + size)}

    # Results

    async def _results(self, call: Request) -> dict[str, Any]:
        request = call.json()
        execution = self._find(request)
        if execution.state != "SUCCEEDED":
            state = (
                "has not yet finished. Current" if not execution.is_over else "did not finish successfully. Final query"
            )
            raise _invalid(f"Query {state} state: {execution.state}")
        size = int(request.get("MaxResults") or MAX_RESULTS)
        if not 1 <= size <= MAX_RESULTS:
            raise _invalid(f"MaxResults must be from 1 to {MAX_RESULTS}, found {size}")
        start = _place(request)
        outcome = execution.outcome
        place = f"arn:aws:s3:::{outcome['output'].removeprefix('s3://')}"
        if reason := access.refusal(call.access_key_id, "s3:GetObject", call.region, place):
            raise ServiceError("AccessDeniedException", reason)
        rows: list[Row] = []
        end: int | None = None
        if outcome["columns"] and outcome["output"].endswith((".csv", ".txt")):
            rows, end = await asyncio.to_thread(read_page, self._aws.client("s3"), outcome["output"], start, size)
        answer: dict[str, Any] = {
            "UpdateCount": outcome.get("update_count") or 0,
            "ResultSet": {
                "Rows": [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows],
                "ResultSetMetadata": {"ColumnInfo": outcome["columns"]},
            },
        }
        return answer if end is None else {**answer, "NextToken": str(end)}

    # Beside statements

    async def _update_prepared(self, call: Request) -> dict[str, Any]:
        request, client = call.json(), self._aws.client("athena")
        name = {"StatementName": request.get("StatementName"), "WorkGroup": request.get("WorkGroup")}

        def replace() -> None:
            client.delete_prepared_statement(**name)
            optional = {key: request[key] for key in ("Description",) if key in request}
            client.create_prepared_statement(**name, QueryStatement=request["QueryStatement"], **optional)

        try:
            await asyncio.to_thread(replace)
        except ClientError as error:
            raise ServiceError("ResourceNotFoundException", str(error)) from error
        return {}

    async def _table_metadata(self, call: Request) -> None:
        """Refuse a table that is not there, which the base would make up; it describes the others well."""
        request = call.json()
        database, name = request.get("DatabaseName") or "", request.get("TableName") or ""
        try:
            await asyncio.to_thread(self._aws.client("glue").get_table, DatabaseName=database, Name=name)
        except ClientError as error:
            message = f"EntityNotFoundException: Table {database}.{name} was not found"
            raise ServiceError("MetadataException", message) from error


def _refusal(call: Request, database: str) -> str | None:
    """Say why the caller may not look at the default database or at its query's; None if it may.

    Athena looks at `default` whatever the query names, and makes it where it is missing (Athena User Guide,
    "Fine-grained access to databases and tables in the AWS Glue Data Catalog").
    """
    databases = dict.fromkeys(("default", database.lower() or "default"))
    asked = [("glue:GetDatabase", name) for name in (*(f"database/{database}" for database in databases), "catalog")]
    if "default" not in base.DATABASES.value:
        asked += [("glue:CreateDatabase", name) for name in ("database/default", "catalog")]
    for action, name in asked:
        resource = f"arn:aws:glue:{call.region}:{call.account_id}:{name}"
        if reason := access.refusal(call.access_key_id, action, call.region, resource):
            return refusal_by_glue(reason)
    return None


def _invalid(message: str, **fields: object) -> ServiceError:
    return ServiceError("InvalidRequestException", message, 400, **fields)


def _output(request: dict[str, Any], settings: dict[str, Any]) -> str:
    """Return the folder of the result: the workgroup's where it insists, else the request's."""
    own = (settings.get("ResultConfiguration") or {}).get("OutputLocation")
    requested = (request.get("ResultConfiguration") or {}).get("OutputLocation")
    output = (own or requested) if settings.get("EnforceWorkGroupConfiguration", False) else (requested or own)
    if not output:
        raise _invalid(
            "No output location provided. An output location is required either through the Workgroup "
            "result configuration setting or as an API input."
        )
    return str(output).rstrip("/") + "/"


def _place(request: dict[str, Any]) -> int:
    token = request.get("NextToken") or "0"
    if not token.isdecimal():
        raise _invalid(f"NextToken {token!r} is not one that this operation gave")
    return int(token)
