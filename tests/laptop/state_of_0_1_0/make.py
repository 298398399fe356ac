"""Make `state.tar.xz`, a state folder as version 0.1.0 leaves it: `python make.py`, in an environment of 0.1.0.

It runs what `tapeline up` of that version runs, but for the producer and Airflow's programs: the local AWS with the
stack, its users, a subscriber and one quote, the files of supervisord, and Airflow's secrets and settings. Keys and
passwords are dummies, code of functions and logs are left out, and paths are those of an imaginary machine.
"""

# The modules of 0.1.0 are not here.
# mypy: ignore-errors

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
import time
import urllib.request
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from tapeline.aws.session import session
from tapeline.supervisor import Supervisor

from localaws.mail import Mailbox
from localaws.testing import free_port
from tapeline import laptop_airflow, local, up
from tapeline.aws import stack

HOME = "/home/you/tapeline/.tapeline"
PROJECT = "/home/you/tapeline"
ROOT_KEY = {"access_key_id": "AKIAROOTDUMMYDUMMY22", "secret_access_key": "root-dummy"}
SECRETS = {
    "jwt_secret": "jwt-dummy",
    "secret_key": "secret-dummy",
    "fernet_key": "ZHVtbXlkdW1teWR1bW15ZHVtbXlkdW1teWR1bW15MDA=",
    "passwords": {"admin": "admin-dummy", "viewer": "viewer-dummy"},
}
READER = "reader@example.com"
LEFT_OUT = ("lambda", "logs", "athena", "invoke", "crawlers", "aws/state/cognito-rsa-key.pem")
FIGURES = {"open": 100, "high": 102, "low": 99, "price": 101.5, "previous_close": 100, "volume": 1000}


def fill(home: Path) -> None:
    """Run 0.1.0 in a state folder and stop it in order."""
    (home / "airflow").mkdir(mode=0o700)
    (home / "credentials.json").write_text(json.dumps(ROOT_KEY))
    (home / "airflow" / "secrets.json").write_text(json.dumps(SECRETS))
    (home / "airflow" / "passwords.json").write_text(json.dumps(SECRETS["passwords"]))
    programs, supervisor = up.programs(up.Options()), Supervisor(home)
    supervisor.start(programs, up._environment())
    (home / "run" / "port").write_text(str(local.port()))
    supervisor.start_program("localaws")
    wait(up.answers)
    aws = session("local")
    outputs = stack.deploy(aws, {}, lambda step: None)
    supervisor.start_program("delivery")
    signer = up.signer_of(aws, up.PRODUCER_USER, outputs.producer_policy_arn, home / "producer.json")
    supervisor.describe(up._signed(next(one for one in programs if one.name == "producer"), signer, outputs))
    subscribe(aws, outputs.alert_topic_arn, home)
    up.subscribe_reader(aws, outputs, Mailbox(home / "mail"), home)
    signer = up.signer_of(aws, up.AIRFLOW_USER, outputs.airflow_policy_arn, home / "airflow.json")
    settings = laptop_airflow.settings(home, signer, outputs)
    laptop_airflow.note(home, settings)
    for program in laptop_airflow.programs():
        supervisor.describe(laptop_airflow.with_settings(program, settings))
    record = {"symbol": "ACME.SIM", "timestamp": "2026-03-12T14:30:00Z", **FIGURES, "source": "simulated"}
    record["ingested_at"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    aws.client("kinesis").put_record(
        StreamName=outputs.stream_name, Data=json.dumps(record).encode(), PartitionKey="ACME.SIM"
    )
    wait(lambda: aws.client("dynamodb").scan(TableName=outputs.table_name)["Count"] == 1)
    time.sleep(2)
    supervisor.stop(lambda name: None)


def subscribe(aws: object, topic: str, home: Path) -> None:
    """Subscribe a reader who opens the link in the mail."""
    aws.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=READER)
    [message] = [message for message in Mailbox(home / "mail").newest(20) if message.address == READER]
    link = re.search(r"http://\S+", message.text)
    assert link
    urllib.request.urlopen(link[0], timeout=10).close()  # noqa: S310 - our own server


def wait(is_so: object) -> None:
    """Wait a minute at most until something is so."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def pack(home: Path, archive: Path) -> None:
    """Pack a state folder without secrets, code or anything of this machine."""
    for name in LEFT_OUT:
        path = home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    words = {str(home): HOME, str(local.PROJECT): PROJECT}
    for name in ("producer", "airflow"):
        key = json.loads((home / f"{name}.json").read_text())
        words |= {key["access_key_id"]: f"AKIA{name.upper():2<16}", key["secret_access_key"]: f"{name}-dummy"}
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr(zipfile.ZipInfo("handler.py"), "")
    with tarfile.open(archive, "w:xz") as tar:
        for path in sorted(path for path in home.rglob("*") if path.is_file()):
            data = code.getvalue() if path.suffix == ".zip" else path.read_bytes()
            for word, dummy in words.items():
                assert path.suffix != ".sqlite" or word.encode() not in data, (path, word)
                data = data.replace(word.encode(), dummy.encode())
                data = data.replace(quote(word, safe="").encode(), quote(dummy, safe="").encode())
            entry = tarfile.TarInfo(str(path.relative_to(home)))
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"TAPELINE_HOME": folder, "TAPELINE_PORT": str(free_port())}
        fill(Path(folder))
        pack(Path(folder), Path(__file__).with_name("state.tar.xz"))
    sys.stdout.write("Made state.tar.xz\n")
