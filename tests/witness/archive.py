"""Finds Java and Maven, and gets from Maven's registry what is run as a witness, once for each user."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.witness.absent import AbsentError

TRINO = "476"
TRINO_SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
JAVA = 24
"""Oldest Java that Trino 476 starts on (trino.io, "Deploying Trino", 476)."""

_PLUGINS = ("hive", "iceberg")
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def cache() -> Path:
    """Return the folder that keeps the archives from run to run."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tapeline-witness"


def find_java() -> tuple[Path, str]:
    """Return the newest Java on this machine and its version.

    Raises
    ------
    AbsentError
        If none is new enough.
    """
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    programs = [home / "bin" / "java" for home in (*homes, *sorted(Path("/usr/lib/jvm").glob("*")))]
    if on_path := shutil.which("java"):
        programs.append(Path(on_path))
    found = [(version, program) for program in programs if (version := _java_version(program))]
    best = max(found, key=lambda one: _major(one[0]), default=None)
    if best is None or _major(best[0]) < JAVA:
        seen = ", ".join(f"{version} ({program})" for version, program in found) or "none"
        raise AbsentError(
            f"Trino {TRINO} needs Java {JAVA} or newer; JAVA_HOME, PATH and /usr/lib/jvm have {seen}. "
            "Install one and set JAVA_HOME."
        )
    return best[1], best[0]


def _java_version(program: Path) -> str:
    if not program.exists():
        return ""
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "([^"]+)"', answer.stderr + answer.stdout)
    return match[1] if match else ""


def _major(version: str) -> int:
    return int(re.split(r"\D", version)[0])


def trino_folder() -> Path:
    """Return the folder of the unpacked server, which is fetched and checked where it is not there yet.

    Raises
    ------
    AbsentError
        If Maven is not there, or does not get the archive, or it is not the archive that was pinned.
    """
    folder = cache() / f"trino-server-{TRINO}"
    if folder.exists():
        return folder
    archive = cache() / f"trino-server-{TRINO}.tar.gz"
    if not archive.exists():
        print(f"getting Trino {TRINO} from Maven's registry, 821 MB, once …", flush=True)
        copy_artifacts([f"io.trino:trino-server:{TRINO}:tar.gz"], cache())
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != TRINO_SHA256:
        raise AbsentError(f"{archive} has SHA-256 {found}, expected {TRINO_SHA256}. Remove it and try again.")
    print("unpacking it …", flush=True)
    draft = folder.with_suffix(f".{os.getpid()}")
    with tarfile.open(archive) as packed:
        packed.extractall(draft, filter="data")
    for plugin in (
        draft / folder.name / "plugin"
    ).iterdir():  # a library that many have is stored once, so none can be left out before
        if plugin.name not in _PLUGINS:
            shutil.rmtree(plugin)
    (draft / folder.name).rename(folder)
    draft.rmdir()
    archive.unlink()
    return folder


def copy_artifacts(coordinates: Iterable[str], folder: Path) -> None:
    """Copy artifacts from Maven's registry, or whatever mirror the user's settings name.

    Raises
    ------
    AbsentError
        If Maven is not there or does not get one of them.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise AbsentError("Maven (mvn) is not on the PATH; it gets Trino from its registry. Install it.")
    folder.mkdir(parents=True, exist_ok=True)
    for coordinate in coordinates:
        command = [maven, "-B", "-q", _COPY, f"-Dartifact={coordinate}", f"-DoutputDirectory={folder}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stdout + done.stderr).strip()[-600:]
            raise AbsentError(f"Maven did not get {coordinate} ({' '.join(command)}):\n{reason}")
