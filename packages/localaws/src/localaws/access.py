"""Closes the doors that the base leaves open for convenience even when it enforces IAM.

It takes an empty key, the key `test` and any account number for the root of the account, and does not check the
signature of a root key at all; its administration pages (`/_ministack/reset` wipes everything) and those of services
that AWS serves at hosts of their own (a registry, a log-in page) ask for no credentials.
Here only the installation's own key pair is root and its signature counts like any other's, a request without a
signature is refused whatever it asks for, and the pages where the base checks no signature are closed to all.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from localaws import ministack_names as base
from localaws.extensions import Response

_AUTHORIZED_AS = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Operations that IAM knows under another's name (Service Authorization Reference, Amazon SNS and Amazon SQS)."""

_UNCHECKED = re.compile(
    r"/(_ministack|_localstack|_aws|_alb|@connections|restapis|oauth2|login|logout|health|iceberg)(/.*)?"
    r"|/v2(/|/_catalog|/.*(/blobs/|/manifests/).*|/.*/tags/list)?|.*/\.well-known/.*"
)
"""Paths that the base answers before, or without, looking at a signature (`ministack.app`)."""

_CODE_SECONDS = 600

_denied_resource: ContextVar[str] = ContextVar("denied resource", default="*")

RECORD = "LOCALAWS_RECORD"
"""Variable that names a file for what callers were allowed and refused."""

_SIGNATURE = re.compile(rb"(^|&)(X-Amz-Signature|Signature)=")
"""A signature in the address, of version 4 or 2."""


def enforce_root_signature() -> None:
    """Let the base treat only the configured key as root, and verify its signature as it does a user's.

    The base has no setting for it.
    """
    base.IS_ROOT.set(_is_root)
    base.IS_ROOT_TO_STS.set(_is_root)
    base.IS_UNCHECKED.set(lambda _key: False)


def authorize_batches() -> None:
    """Let the base ask for the permission that AWS asks for; there is none of a batch operation's own name."""
    name_of = base.ACTION_OF.value

    def extract(*request: Any) -> str | None:
        name = name_of(*request)
        return _AUTHORIZED_AS.get(name, name) if name else None

    base.ACTION_OF.set(extract)


def know_leading_keys() -> None:
    """Let conditions on `dynamodb:LeadingKeys` see the partition keys that a request names, as AWS does.

    The base leaves that key out, and a condition `ForAllValues` holds for what is absent: every key would be allowed.
    Not seen are the keys of a Query and of PartiQL and transactions; a policy of ours with such a condition must not
    allow those.
    """
    context_of = base.DYNAMODB_CONTEXT.value

    def context(body: bytes) -> dict[str, Any]:
        keys = _partition_keys(body)
        return {**context_of(body), **({"dynamodb:LeadingKeys": keys} if keys else {})}

    base.DYNAMODB_CONTEXT.set(context)


def _partition_keys(body: bytes) -> list[str]:
    """Return the partition keys that a request names; none of a malformed one, which the service refuses itself."""
    try:
        request = json.loads(body or b"{}")
        named = [(request.get("TableName"), request.get(part)) for part in ("Item", "Key")]
        for table, entries in request.get("RequestItems", {}).items():
            for entry in entries["Keys"] if isinstance(entries, dict) else entries:
                put, delete = entry.get("PutRequest"), entry.get("DeleteRequest")
                named.append((table, put["Item"] if put else delete["Key"] if delete else entry))
        tables = [(base.TABLES.value.get(str(table).rpartition("/")[2]), item) for table, item in named if item]
        return [str(value) for table, item in tables if table for value in item[table["pk_name"]].values()]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def refusal(access_key_id: str, action: str, region: str, resource: str) -> str | None:
    """Say in AWS's words why the caller of this request may not act on a resource; None if it may."""
    denied = base.ENFORCE(access_key_id, action, action.partition(":")[0], region, resource_arn=resource)
    if denied is None:
        return None
    return str(base.DENIAL(action, denied.principal_arn, resource, denied.decision == "Deny"))


def check_containers() -> None:
    """Ask for a table's database and catalog too, and note what was asked if `RECORD` names a file.

    AWS checks an action on a table against all three (Glue Developer Guide, "Specifying AWS Glue resource ARNs"); the
    base looks at the table alone.
    """
    enforce, record = base.ENFORCE.value, _Record(os.environ.get(RECORD, ""))

    def enforce_all(
        access_key_id: str, action: str, service: str, region: str, resource_arn: str = "*", **rest: Any
    ) -> Any:
        for resource in (resource_arn, *_containers(resource_arn)):
            denied = enforce(access_key_id, action, service, region, resource_arn=resource, **rest)
            record.note(access_key_id, action, resource, denied)
            if denied is not None:
                _denied_resource.set(resource)
                return denied
        return None

    def naming_the_resource(answer: Callable[..., Any]) -> Callable[..., Any]:
        def denied(service: str, action: str, principal: str, *rest: Any, **named: Any) -> Any:
            if service == "glue" and not named.get("message"):
                resource = _denied_resource.get()
                named["message"] = base.DENIAL(action, principal, resource, named.get("explicit_deny", False))
            return answer(service, action, principal, *rest, **named)

        return denied

    base.ENFORCE.set(enforce_all)
    base.DENIED.wrap(naming_the_resource)


def _containers(resource: str) -> tuple[str, ...]:
    owner, colon, name = resource.rpartition(":")
    kind, _, rest = name.partition("/")
    if not resource.startswith("arn:aws:glue:") or kind not in ("database", "table"):
        return ()
    catalog = f"{owner}{colon}catalog"
    return (f"{owner}{colon}database/{rest.partition('/')[0]}", catalog) if kind == "table" else (catalog,)


class _Record:
    """Who was asked for which action on which resource, each once: lines of JSON, for a test that compares policies."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: set[tuple[str, str, str, bool]] = set()

    def note(self, access_key_id: str, action: str, resource: str, denied: Any) -> None:
        """Write down what is new."""
        key = (access_key_id, action, resource, denied is None)
        if not self._path or key in self._seen or _is_root(access_key_id):
            return
        self._seen.add(key)
        caller = getattr(base.CREDENTIAL(access_key_id), "principal_arn", "")
        line = {"caller": caller, "action": action, "resource": resource, "allowed": denied is None}
        with Path(self._path).open("a") as file:
            file.write(json.dumps(line) + "\n")


def credentials(access_key_id: str) -> tuple[str, str, str | None] | None:
    """Return key, secret and session token of the caller of this request; None of the account's root."""
    if _is_root(access_key_id):
        return None
    found = base.CREDENTIAL(access_key_id)
    return found.access_key_id, found.secret_access_key, found.session_token


def _is_root(access_key_id: str) -> bool:
    return access_key_id == os.environ["AWS_ACCESS_KEY_ID"]


def sign_code_locations() -> None:
    """Let the address of a function's zip, which GetFunction tells, be signed for ten minutes, as AWS's is.

    The base writes an address that only looks signed, and gives the zip to everybody.
    """

    def signing(address_of: Callable[[str], str]) -> Callable[[str], str]:
        def signed(function: str) -> str:
            address = urlsplit(address_of(function))
            until = str(int(time.time()) + _CODE_SECONDS)
            query = urlencode({"X-Amz-Expires": until, "X-Amz-Signature": _code_signature(address.path, until)})
            return urlunsplit(address._replace(query=query))

        return signed

    base.CODE_LOCATION.wrap(signing)


def _code_signature(path: str, until: str) -> str:
    secret = os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    return hmac.new(secret, f"code {path} {until}".encode(), hashlib.sha256).hexdigest()


def _opens_code(path: str, query_string: bytes) -> bool:
    if not path.startswith("/_ministack/lambda-code/"):
        return False
    query = dict(parse_qsl(query_string.decode("latin-1")))
    until, signature = query.get("X-Amz-Expires", ""), query.get("X-Amz-Signature", "")
    sound = hmac.compare_digest(signature.encode(), _code_signature(path, until).encode())
    return sound and int(until) > time.time()


def refused(scope: Mapping[str, Any]) -> Response | None:
    """Return the refusal of a request that bears no signature, or asks for a page where none would be checked."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if scope["method"] == "GET" and _opens_code(scope["path"], scope["query_string"]):
        return None
    if scope["method"] == "OPTIONS" or _UNCHECKED.fullmatch(scope["path"]):
        return Response(403, b"closed: no signature is checked here", {"Content-Type": "text/plain"})
    if headers.get("authorization", "").startswith("AWS") or _SIGNATURE.search(scope["query_string"]):
        return None
    if "x-amz-target" in headers:
        code = "MissingAuthenticationTokenException"
        body = json.dumps({"__type": code, "message": "Missing Authentication Token"}).encode()
        return Response(403, body, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code})
    code, message = "AccessDenied", "Access Denied"
    if scope["path"] == "/":
        code, message = "MissingAuthenticationToken", "Request is missing Authentication Token"
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    answer = f"<ErrorResponse>{error}</ErrorResponse>" if scope["path"] == "/" else error
    return Response(403, answer.encode(), {"Content-Type": "application/xml"})
