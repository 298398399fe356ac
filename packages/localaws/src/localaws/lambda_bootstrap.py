"""What runs inside a function's own process, in place of the Lambda runtime: imports the handler, then answers events.

Started by `localaws.lambda_process` as a script, isolated from the project's environment: it may import nothing but the
standard library. Events and answers are JSON lines over the socket whose descriptor is the first argument; the second
is the folder of the SDK that the runtime ships, the third the function's ARN. Standard output and error are its log.
"""

import importlib
import json
import os
import queue
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any


class LambdaContext:
    """The context object that the runtime hands to a handler."""

    def __init__(self, request_id: str, deadline: float) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = sys.argv[3]
        self.aws_request_id = request_id
        self.identity = None
        self.client_context = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left before the function is stopped."""
        return max(0, int((self._deadline - time.time()) * 1000))


def describe(error: BaseException, error_type: str = "") -> dict[str, Any]:
    """Return an error as Lambda answers it."""
    return {
        "errorMessage": str(error),
        "errorType": error_type or type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def load_handler() -> Callable[[Any, LambdaContext], Any]:
    """Import the handler that `_HANDLER` names: module path, dot, function."""
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    handler: Callable[[Any, LambdaContext], Any] = getattr(importlib.import_module(module.replace("/", ".")), name)
    return handler


def answer(handler: Callable[[Any, LambdaContext], Any], line: bytes) -> str:
    """Run the handler on one event and return the line to send back."""
    request = json.loads(line)
    context = LambdaContext(request["request_id"], request["deadline"])
    try:
        result = handler(request["event"], context)
    except Exception as error:  # noqa: BLE001 (whatever a handler raises is its answer)
        traceback.print_exc()
        return json.dumps({"error": describe(error)})
    try:
        return json.dumps({"result": result})
    except (TypeError, ValueError) as error:
        return json.dumps({"error": describe(error, "Runtime.MarshalError")})


def receive(channel: socket.socket, events: "queue.SimpleQueue[bytes]") -> None:
    """Read events from the channel; when its other end is gone, so is this process, in mid-handler or not."""
    try:
        with channel.makefile("rb") as lines:
            for line in lines:
                events.put(line)
    finally:  # at the end, or by a reset, as when the other end was killed with an answer unread
        os._exit(0)


def main() -> None:
    """Initialise, say whether that worked, and answer events for as long as there are any."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    sys.path[0:0] = [os.environ["LAMBDA_TASK_ROOT"], sys.argv[2]]
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    try:
        handler = load_handler()
    except BaseException as error:  # noqa: BLE001 (so is whatever its import raises, SystemExit too)
        traceback.print_exc()
        channel.sendall(json.dumps({"error": describe(error)}).encode() + b"\n")
        return
    channel.sendall(b'{"result": "ready"}\n')
    events: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=receive, args=(channel, events), daemon=True).start()
    while True:
        channel.sendall(answer(handler, events.get()).encode() + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
