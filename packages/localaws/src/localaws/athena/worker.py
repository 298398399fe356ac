"""A process that runs statements, one at a time: `python -m localaws.athena.worker`.

It reads statements as lines of JSON and answers each with one; it ends when its input does. Whoever wants a statement
stopped ends the process, which leaves nothing half done: results are uploaded whole, and Iceberg commits are one swap.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import sys
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.utils import parse_timestamp

from localaws import settings
from localaws.athena.engine import Engine
from localaws.athena.errors import QueryError, ScanLimitError
from localaws.athena.grammar import parse_statement
from localaws.athena.statements import Statement
from localaws.clients import Clients, connect
from localaws.printable import log_to_terminal

logger = logging.getLogger(__name__)


def main() -> None:
    """Serve until the input ends."""
    log_to_terminal(logging.WARNING, "%(asctime)s %(levelname)s %(name)s: %(message)s")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    home = settings.home()
    files = home / "aws" / "s3" / settings.ACCOUNT_ID
    owner = _warm(_clients())
    engine = Engine(
        lambda caller: _clients(*caller) if caller else owner, files, home / "athena" / "scratch" / str(os.getpid())
    )
    for line in sys.stdin:
        document = json.loads(line)
        document["parameters"] = tuple(document["parameters"])
        document["caller"] = tuple(document["caller"]) if document["caller"] else None
        answer = _answer(engine, Statement(**document))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({**answer, "memory": memory}), file=answers, flush=True)


@lru_cache(maxsize=4)
def _clients(access_key_id: str = "", secret_access_key: str = "", token: str | None = None) -> Clients:
    """Return clients that read the times of a long listing quickly; botocore's way outlasts all the rest."""
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_read_time)
    return connect(access_key_id, secret_access_key, token, core)


def _warm(aws: Clients) -> Clients:
    """Make and import now what the first statement would otherwise wait for a quarter of a second."""
    importlib.import_module("pyarrow.compute")  # which casting a batch imports
    for name in ("s3", "glue", "athena"):
        aws.client(name)
    parse_statement("WITH a AS (SELECT 1 AS b) SELECT b FROM a")
    return aws


def _read_time(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return parse_timestamp(value)


def _answer(engine: Engine, statement: Statement) -> dict[str, Any]:
    try:
        return {"state": "SUCCEEDED", "outcome": asdict(engine.execute(statement))}
    except ScanLimitError as error:
        return {"state": "CANCELLED", "reason": str(error), "scanned": error.scanned}
    except QueryError as error:
        return {"state": "FAILED", "reason": str(error), "category": error.category, "kind": error.kind}
    except Exception as error:
        logger.exception("statement %s failed", statement.id)
        reason = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}"
        return {"state": "FAILED", "reason": reason, "category": 1, "kind": 233}


if __name__ == "__main__":
    main()
