"""Where an installation keeps its state on this machine, and the root key pair of its local AWS."""

from __future__ import annotations

import json
import os
import secrets
import string
from dataclasses import asdict, dataclass
from pathlib import Path

REGION = "us-east-1"
DEFAULT_PORT = 4566

_PROJECT = Path(__file__).resolve().parents[2]
_KEY_ALPHABET = string.ascii_uppercase + "234567"
_SECRET_ALPHABET = string.ascii_letters + string.digits + "+/"


@dataclass(frozen=True, slots=True)
class LocalCredentials:
    """A key pair as AWS issues them.

    Attributes
    ----------
    access_key_id : str
        20 characters, ``AKIA`` first.
    secret_access_key : str
        40 characters; never printed.
    """

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"LocalCredentials({self.access_key_id})"


def state_folder() -> Path:
    """Return the folder of this installation's state: ``TAPELINE_HOME``, or ``.tapeline`` in the project's root."""
    if configured := os.environ.get("TAPELINE_HOME"):
        return Path(configured).expanduser().resolve()
    root = _PROJECT if (_PROJECT / "pyproject.toml").exists() else Path.cwd()
    return root / ".tapeline"


def port() -> int:
    """Return the port of the local AWS: ``TAPELINE_PORT``, or 4566."""
    return int(os.environ.get("TAPELINE_PORT", DEFAULT_PORT))


def endpoint() -> str:
    """Return the address of the local AWS, which answers on the loopback interface only."""
    return f"http://127.0.0.1:{port()}"


def read_credentials(folder: Path) -> LocalCredentials:
    """Read the root key pair of the installation in this state folder.

    Raises
    ------
    FileNotFoundError
        If nothing was ever started here.
    """
    path = folder / "credentials.json"
    try:
        return LocalCredentials(**json.loads(path.read_text()))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no local AWS has run here yet ({path} is missing): start it with `make run`"
        ) from None


def ensure_credentials(folder: Path) -> LocalCredentials:
    """Read the root key pair, making it first if there is none; only its owner can read the file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "credentials.json"
    made = LocalCredentials(
        "AKIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16)),
        "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40)),
    )
    draft = folder / f".credentials-{os.getpid()}"
    draft.touch(mode=0o600)
    try:
        draft.write_text(json.dumps(asdict(made)))
        os.link(draft, path)  # of two that start at once, one makes the pair and both read it
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return read_credentials(folder)
