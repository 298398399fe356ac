"""A function's process ends with the one that started it, whatever the two were about."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import localaws

SOURCE = "def handler(event, context):\n    return event\n"


@pytest.mark.parametrize("is_read", [True, False])
def test_a_function_ends_when_the_other_end_is_gone(tmp_path: Path, is_read: bool) -> None:
    (tmp_path / "handler.py").write_text(SOURCE)
    bootstrap = Path(localaws.__file__).with_name("lambda_bootstrap.py")
    names = ("NAME", "VERSION", "MEMORY_SIZE")
    environment = {
        **{f"AWS_LAMBDA_FUNCTION_{name}": "1" for name in names},
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "PATH": os.defpath,
        "_HANDLER": "handler.handler",
    }
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", bootstrap, str(theirs.fileno()), tmp_path, "arn"],
            env=environment,
            pass_fds=[theirs.fileno()],
        )
    try:
        with ours:
            ours.settimeout(60)
            assert ours.recv(100) == b'{"result": "ready"}\n'
            ours.sendall(b'{"request_id": "1", "deadline": 0, "event": 7}\n')
            assert ours.recv(100, 0 if is_read else socket.MSG_PEEK) == b'{"result": 7}\n'
        process.wait(timeout=60)
    finally:
        process.kill()
