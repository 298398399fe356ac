"""A Trino server over the Glue and S3 endpoints of a local AWS."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localaws.settings import REGION
from localaws.testing import LocalAws, free_port
from tests.witness.absent import AbsentError
from tests.witness.client import Trino

ICEBERG, HIVE = "awsdatacatalog", "hive"
"""Catalogs: the first has the name of Athena's only one; each hands on to the other what is a table of that kind."""

_JVM = (
    "-Xmx3G",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # quicker to start; the statements are small
    "--add-modules=jdk.incubator.vector",
    "-Djdk.attach.allowAttachSelf=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Duser.timezone=UTC",
)
_START_SECONDS = 180


@contextmanager
def running_trino(java: Path, program: Path, folder: Path, aws: LocalAws) -> Iterator[Trino]:
    """Run a server on a free port; it is gone when the block ends.

    Raises
    ------
    AbsentError
        If it does not answer.
    """
    port = free_port()
    _configure(folder, program, port, aws)
    command: list[str | Path] = [
        java,
        "-cp",
        f"{program}/lib/*",
        *_JVM,
        *_properties(folder),
        "io.trino.server.TrinoServer",
    ]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    trino = Trino(f"http://127.0.0.1:{port}", ICEBERG)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not trino.is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AbsentError(f"Trino did not start; its log ends:\n{log.read_text()[-3000:]}")
            time.sleep(0.5)
        yield trino
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _properties(folder: Path) -> list[str]:
    return [
        f"-Dconfig={folder}/config.properties",
        f"-Dlog.levels-file={folder}/log.properties",
        "-Dnode.environment=witness",
        "-Dnode.id=witness",
        f"-Dnode.data-dir={folder}/data",
    ]


def _configure(folder: Path, program: Path, port: int, aws: LocalAws) -> None:
    (folder / "catalogs").mkdir(parents=True)
    _write(
        folder / "config.properties",
        {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": port,
            "node.internal-address": "127.0.0.1",
            "node.bind-ip": "127.0.0.1",
            "discovery.uri": f"http://127.0.0.1:{port}",
            "plugin.dir": program / "plugin",
            "catalog.config-dir": folder / "catalogs",
        },
    )
    _write(folder / "log.properties", {"io.trino": "WARN"})
    storage = {
        "fs.native-s3.enabled": "true",
        "s3.endpoint": aws.endpoint,
        "s3.region": REGION,
        "s3.path-style-access": "true",
        "s3.aws-access-key": aws.root["access_key_id"],
        "s3.aws-secret-key": aws.root["secret_access_key"],
        "hive.metastore.glue.endpoint-url": aws.endpoint,
        "hive.metastore.glue.region": REGION,
        "hive.metastore.glue.aws-access-key": aws.root["access_key_id"],
        "hive.metastore.glue.aws-secret-key": aws.root["secret_access_key"],
    }
    hive = {
        "connector.name": "hive",
        "hive.metastore": "glue",
        "hive.iceberg-catalog-name": ICEBERG,
        "hive.non-managed-table-writes-enabled": "true",
        "hive.allow-register-partition-procedure": "true",
        "hive.security": "allow-all",
    }
    iceberg = {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "glue",
        "iceberg.hive-catalog-name": HIVE,
        "iceberg.expire-snapshots.min-retention": "0s",
        "iceberg.unique-table-location": "false",
    }
    _write(folder / "catalogs" / f"{HIVE}.properties", {**hive, **storage})
    _write(folder / "catalogs" / f"{ICEBERG}.properties", {**iceberg, **storage})


def _write(path: Path, properties: dict[str, object]) -> None:
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
