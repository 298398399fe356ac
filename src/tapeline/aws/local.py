"""Where the laptop's AWS lives: state folder, port, endpoint, and the key pair its owner signs with.

The local AWS reads the same of its environment by `localaws.settings`; a test compares the two.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import string
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
"""The checkout that the package is installed from, editable; of an installed wheel there is none."""

REGION = "us-east-1"
DEFAULT_PORT = 4566
LOOPBACK = "127.0.0.1"

OTHERS = 0o077
"""The rights of all but the owner, which nothing in the state folder grants."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair that signs requests to AWS; it shows only the half that is no secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def files(path: str) -> Path:
    """Return where a file or folder that the package reads lies: ``include/sql``, ``infra/template.yaml``, ``lambda``.

    It is in the checkout, or inside the package if that was installed as a wheel.
    """
    packaged = Path(__file__).resolve().parents[1] / path
    return packaged if packaged.exists() else PROJECT / path


def home() -> Path:
    """Return the state folder, which may not exist yet: what TAPELINE_HOME names, else `.tapeline`.

    That is in the checkout, or in the user's home folder if the package was installed as a wheel.
    """
    around = PROJECT if (PROJECT / "pyproject.toml").exists() else Path.home()
    return Path(os.environ.get("TAPELINE_HOME") or around / ".tapeline").expanduser().absolute()


def own_home() -> Path:
    """Make the state folder its owner's alone, with all that is in it and all that this process and its children add.

    Keys, mails and quotes lie in it. What an earlier version left readable for others is tightened. Call it before
    anything is written there.
    """
    os.umask(OTHERS)
    folder = home()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folders = [folder]
    while folders:
        inside = folders.pop()
        with suppress(OSError):  # another process may remove what is just looked at
            _tighten(inside, inside.stat())
            for entry in os.scandir(inside):
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry))
                    elif not entry.is_symlink():
                        _tighten(entry, entry.stat(follow_symlinks=False))
    return folder


def write_private(path: Path, content: Mapping[str, object] | str) -> None:
    """Write a text, or a JSON document, that only its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@contextmanager
def private() -> Iterator[None]:
    """Let what is written meanwhile be its owner's alone."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def _tighten(path: os.PathLike[str], status: os.stat_result) -> None:
    if status.st_mode & OTHERS:
        Path(path).chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)


def port() -> int:
    """Return the port of the local AWS, 4566 or what TAPELINE_PORT says."""
    return read_port("TAPELINE_PORT", DEFAULT_PORT)


def read_port(variable: str, default: int) -> int:
    """Return the port that a variable names, or the default if it names none; raise ValueError if it is no port."""
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError(f"{variable} must be a port from 1 to 65535, found {text!r}")
    return int(text)


def endpoint() -> str:
    """Return the one URL of the local AWS: on this machine, or between containers on the host that TAPELINE_HOST is."""
    return f"http://{os.environ.get('TAPELINE_HOST') or LOOPBACK}:{port()}"


def credentials() -> Credentials:
    """Return this installation's root key pair, made at the first call and kept in `credentials.json`, mode 0600.

    Processes that make it at the same moment agree on one: the file appears whole, and only the first to link it wins.
    """
    path = home() / "credentials.json"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)  # mkstemp makes it 0600
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(_new_credentials()), file)
        try:
            with suppress(FileExistsError):  # another process was first; its pair is the one to use
                os.link(draft, path)
        finally:
            Path(draft).unlink()
    document = json.loads(path.read_text())
    return Credentials(document["access_key_id"], document["secret_access_key"])


def environment(signer: Credentials) -> dict[str, str]:
    """Return the variables that make any AWS SDK in a child process talk to the local AWS as this signer."""
    return {
        "AWS_ENDPOINT_URL": endpoint(),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": signer.access_key_id,
        "AWS_SECRET_ACCESS_KEY": signer.secret_access_key,
    }


def _new_credentials() -> Credentials:
    identifier = "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    return Credentials(f"AKIA{identifier}", secrets.token_urlsafe(30))
