import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tapeline.aws import local
from tapeline.deploy import lambda_zip

RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six")
"""What Lambda's Python has beside the zip: the AWS SDK and what it needs."""

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "TABLE_NAME": "data",
    "STATE_TABLE_NAME": "state",
    "BUCKET_NAME": "bucket",
    "ALERT_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:topic",
    "OPERATIONS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:operations",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "Tapeline",
}


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that shows the SDK and nothing else of the virtual environment."""
    folder = tmp_path_factory.mktemp("sdk")
    for name in RUNTIME:
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or () if file.parts[0] != ".."}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(installed.locate_file(top))))
    return folder


@pytest.mark.parametrize("function", lambda_zip.FUNCTIONS)
def test_a_zip_alone_beside_the_sdk_imports_its_handler(function: str, sdk: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(lambda_zip.build(function, tmp_path).path) as archive:
        archive.extractall(tmp_path / "task")
    program = (
        "import sys; sys.path += [sys.argv[1], sys.argv[2]]\n"
        "import handler\n"
        "from zoneinfo import ZoneInfo, reset_tzpath\n"
        "reset_tzpath([])  # Lambda has no time zones of its own\n"
        "ZoneInfo('America/New_York')\n"
        "assert callable(handler.handler)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(tmp_path / "task"), str(sdk)],
        env={"PATH": os.environ["PATH"], **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert {"typer", "rich", "pyarrow", "pandas"}.isdisjoint(answer.stdout.split())


@pytest.mark.parametrize("function", lambda_zip.FUNCTIONS)
def test_a_zip_holds_what_its_handler_imports_and_no_more(function: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(lambda_zip.build(function, tmp_path).path) as archive:
        names = archive.namelist()
    assert {"handler.py", "tapeline/__init__.py", "tapeline/market/quotes.py", "tapeline/stream/tables.py"} <= set(
        names
    )
    assert {"tapeline/deploy/stack.py", "tapeline/aws/clients.py", "tapeline/aws/local.py"}.isdisjoint(names)
    assert {name.partition("/")[0] for name in names} == {
        "aws_lambda_powertools",
        "handler.py",
        "tapeline",
        "typing_extensions.py",
        "tzdata",
    }
    assert names == sorted(names)
    assert not [name for name in names if name.endswith((".pyc", ".so"))]


def copy_of_handler(into: Path) -> Path:
    return Path(shutil.copytree(local.PROJECT / "lambda" / "trend_alerts", into, ignore=shutil.ignore_patterns("__*")))


def test_the_same_content_gives_the_same_zip_whenever_and_wherever_it_is_built(tmp_path: Path) -> None:
    first = lambda_zip.build("trend_alerts", tmp_path / "one")
    copy = copy_of_handler(tmp_path / "elsewhere")
    os.utime(copy / "handler.py", (0, 0))
    (copy / "handler.py").chmod(0o600)
    second = lambda_zip.build("trend_alerts", tmp_path / "two", folder=copy)
    assert first.key == second.key
    assert first.path.read_bytes() == second.path.read_bytes()


def test_other_content_gives_another_key(tmp_path: Path) -> None:
    first = lambda_zip.build("trend_alerts", tmp_path / "one")
    copy = copy_of_handler(tmp_path / "elsewhere")
    with (copy / "handler.py").open("a") as file:
        file.write("# changed\n")
    assert lambda_zip.build("trend_alerts", tmp_path / "two", folder=copy).key != first.key


def test_imports_are_found_wherever_the_source_says_them_except_for_type_checkers(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "from typing import TYPE_CHECKING\n"
        "import a.b\n"
        "from . import sibling\n"
        "from ..above import thing\n"
        "if TYPE_CHECKING:\n"
        "    import only_for_types\n"
        "else:\n"
        "    import at_run_time\n"
        "def late():\n"
        "    from c import d\n"
    )
    found = set(lambda_zip.imported(module, "top.package.module"))
    assert {"a", "a.b", "top.package.sibling", "top.above", "top.above.thing", "at_run_time", "c", "c.d"} <= found
    assert "only_for_types" not in found


def test_a_folder_without_a_handler_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a Lambda's handler in .*handler\.py, found none"):
        lambda_zip.build("trend_alerts", tmp_path / "build", folder=tmp_path)
