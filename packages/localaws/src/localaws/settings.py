"""Where this installation lives: its state folder, its address, and the key pair of its root.

All of it comes from the environment: TAPELINE_HOME (`.tapeline` in the working directory), TAPELINE_PORT (4566),
TAPELINE_BIND, TAPELINE_HOST and TAPELINE_ADVERTISED_HOST (the loopback). Standard library only: the server reads it
before it can import anything else.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair that signs requests; its printed form shows only the half that is no secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


_OTHERS = 0o077
"""The rights of all but the owner, which nothing in the state folder grants."""


def home() -> Path:
    """Return the state folder; it may not exist yet."""
    return Path(os.environ.get("TAPELINE_HOME") or ".tapeline").expanduser().absolute()


def private_home() -> Path:
    """Return the state folder, made its owner's alone with all that is in it and all that this process adds."""
    os.umask(_OTHERS)
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder, _, files in os.walk(home()):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            with suppress(OSError):  # another process may just have removed it
                if not path.is_symlink() and path.stat().st_mode & _OTHERS:
                    path.chmod(path.stat().st_mode & 0o777 & ~_OTHERS)
    return home()


def port() -> int:
    """Return the server's port.

    Raises
    ------
    ValueError
        If TAPELINE_PORT is no port number.
    """
    value = os.environ.get("TAPELINE_PORT") or "4566"
    if not value.isdecimal() or int(value) not in range(1, 65536):
        raise ValueError(f"TAPELINE_PORT must be a port from 1 to 65535, found {value!r}")
    return int(value)


def address(variable: str) -> str:
    """Return the address in TAPELINE_BIND, TAPELINE_HOST or TAPELINE_ADVERTISED_HOST, else the loopback."""
    return os.environ.get(variable) or LOOPBACK


def endpoint() -> str:
    """Return the one URL at which every service answers."""
    return f"http://{address('TAPELINE_HOST')}:{port()}"


def root() -> KeyPair:
    """Return the root's key pair, drawn at the first call and kept in `credentials.json`, mode 0600.

    Processes that draw it at the same moment agree on one: the file appears whole, and the first to link it wins.
    """
    path = home() / "credentials.json"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".credentials-{secrets.token_hex(8)}")
        pair = {"access_key_id": _access_key_id(), "secret_access_key": secrets.token_urlsafe(30)}
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(pair))
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return KeyPair(**json.loads(path.read_text()))


def _access_key_id() -> str:
    return "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode()
