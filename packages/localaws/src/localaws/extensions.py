"""What this layer answers in the base's stead, one extension per service.

An extension sees every request of its service before the base does, after the base has checked the caller's signature
and IAM policies for it, and either answers or returns None to let the base answer:

    class Echo:
        service = "glue"  # MiniStack's name of the service: athena, glue, lambda, sns, …

        async def handle(self, request: Request) -> Response | None:
            if request.operation != "StartCrawler":
                return None
            return json_response({})                       # or: raise ServiceError("EntityNotFoundException", "…")

    install([Echo()])

`handle` runs on the event loop that serves everything: work of more than a few milliseconds belongs into
`asyncio.to_thread`. A thread may call the local AWS back through boto3, the event loop must not. An extension with an
`async def start()` or `async def stop()` has them awaited when the server starts and before it stops.
Add an extension to the list in `build` of `localaws/server.py`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from localaws.ministack_names import SERVICE_HANDLERS, extract_access_key_id, get_account_id, get_region

Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of an AWS client whose caller is known and allowed.

    Attributes
    ----------
    service, operation : str
        As in ``glue``, ``StartCrawler``; the operation is empty for the REST services (Lambda, S3): see `path`.
    body : bytes
        As sent.
    account_id, region : str
        Whom the caller's key belongs to, and the region it signed for.
    access_key_id : str
        The caller's key.
    """

    service: str
    operation: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes
    account_id: str
    region: str
    access_key_id: str

    def json(self) -> dict[str, Any]:
        """Return the parameters of an operation of a JSON service."""
        parameters = json.loads(self.body or b"{}")
        if not isinstance(parameters, dict):
            raise ServiceError("SerializationException", "expected a JSON object as the request's body")
        return parameters


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: status code, body and headers, to which the base adds the request id and the date."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class ServiceError(Exception):
    """An error as AWS's JSON services answer it.

    Parameters
    ----------
    code : str
        Name of the exception in the service's API reference, such as ``InvalidRequestException``.
    message : str
        What was expected and what was found.
    status : int
        400 for the caller's mistakes, 500 for ours.
    fields : object
        Further members of the error's shape, such as ``AthenaErrorCode``.
    """

    def __init__(self, code: str, message: str, status: int = 400, **fields: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.document = {"__type": code, "message": message, "Message": message, **fields}


@runtime_checkable
class Extension(Protocol):
    """Answers some requests of one service."""

    service: str

    async def handle(self, request: Request) -> Response | None:
        """Answer the request, or return None to leave it to the base."""
        ...


def json_response(document: Mapping[str, Any], status: int = 200) -> Response:
    """Return an answer of a JSON service; times are numbers of seconds since the epoch."""
    return Response(status, json.dumps(document).encode(), {"Content-Type": "application/x-amz-json-1.1"})


def install(extensions: Iterable[Extension]) -> None:
    """Put each extension in front of the base's handler of its service; the last one installed is asked first.

    `SERVICE_HANDLERS` is the base's own table, read for each request behind its authentication: the one place where an
    answer of ours needs no check of ours.
    """
    for extension in extensions:
        SERVICE_HANDLERS[extension.service] = _in_front_of(SERVICE_HANDLERS[extension.service], extension)


def _in_front_of(fallback: Handler, extension: Extension) -> Handler:
    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Answer:
        request = Request(
            service=extension.service,
            operation=_operation(headers, body, query),
            method=method,
            path=path,
            headers=headers,
            query=query,
            body=body,
            account_id=get_account_id(),
            region=get_region(),
            access_key_id=extract_access_key_id(headers, query),
        )
        try:
            response = await extension.handle(request)
        except ServiceError as error:
            response = json_response(error.document, error.status)
            response.headers["x-amzn-errortype"] = error.code
        if response is None:
            return await fallback(method, path, headers, body, query)
        return response.status, dict(response.headers), response.body

    return handle


def _operation(headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]) -> str:
    """Name the operation: `X-Amz-Target: AWSGlue.StartCrawler`, or `Action=Publish` in the query or the form."""
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if action := query.get("Action"):
        return action[0]
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return next((part[7:].decode("latin-1") for part in body[:4096].split(b"&") if part.startswith(b"Action=")), "")
    return ""
