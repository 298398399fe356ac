"""The Lambdas as zips: `python -m tapeline.deploy.lambda_zip` builds them into .tapeline/build.

A zip holds its folder under lambda/, and of this package and its libraries exactly the modules that the handler
imports, directly or through others; boto3 is left out, Lambda has it. The same content always gives the same zip and
hash, so that nothing is deployed again without need.
"""

from __future__ import annotations

import ast
import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

from tapeline.aws import local

FUNCTIONS = ("stream_processor", "trend_alerts", "feed_watch")
LIBRARIES = ("aws-lambda-powertools", "typing-extensions")
TIME_ZONES = "tzdata"  # read by name through zoneinfo, so taken whole; Lambda's Python has none of its own

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can tell
_PLAIN_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class LambdaZip:
    """The zip of one function, named after its folder under lambda/."""

    function: str
    path: Path
    content_hash: str
    """SHA-256 over names and contents of its files, hexadecimal; the bytes of the zip depend on the compressor."""

    @property
    def key(self) -> str:
        """The key that the zip has in the artifact bucket; new content is a new key."""
        return f"lambda/{self.function}-{self.content_hash[:32]}.zip"


def build(function: str, into: Path, *, folder: Path | None = None) -> LambdaZip:
    """Build the zip of one function, of its folder under lambda/ unless another is given, into a folder."""
    files = collect(folder or local.files(f"lambda/{function}"))
    digest = hashlib.sha256()
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{function}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, source in sorted(files.items()):
            content = source.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = _PLAIN_FILE
            archive.writestr(entry, content)
    return LambdaZip(function, path, digest.hexdigest())


def build_all(into: Path | None = None) -> dict[str, LambdaZip]:
    """Build every function's zip, by default into build/ of the state folder."""
    with local.private():
        return {function: build(function, into or local.home() / "build") for function in FUNCTIONS}


def collect(folder: Path) -> dict[str, Path]:
    """Return what goes into the zip of a handler's folder, by name in the zip."""
    handler = folder / "handler.py"
    if not handler.is_file():
        raise FileNotFoundError(f"expected a Lambda's handler in {handler}, found none")
    own = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}
    available = _modules_of_package() | _modules_of_libraries()

    names: set[str] = set()
    waiting = [name for path in own.values() for name in imported(path, "")]
    while waiting:
        name = waiting.pop()
        if name in available and name not in names:
            names.add(name)
            waiting += imported(available[name], name)
    files = {_name_in_zip(name, available[name]): available[name] for name in names}
    return files | _files_of(TIME_ZONES) | own


def imported(path: Path, module: str) -> Iterator[str]:
    """Yield every module that a source file may import, and the packages around it, wherever in the file it says so.

    `from a import b` yields `a.b` too, which may be a module or something in one. What only a type checker imports is
    left out.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in _run_time_nodes(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            targets = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for target in targets:
            parts = target.split(".")
            yield from (".".join(parts[: length + 1]) for length in range(len(parts)))


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (node for statement in child.orelse for node in ast.walk(statement))
            continue
        yield child
        yield from _run_time_nodes(child)


def _modules_of_package() -> dict[str, Path]:
    root = Path(__file__).resolve().parents[1]
    return {_module(PurePosixPath(path.relative_to(root.parent).as_posix())): path for path in root.rglob("*.py")}


def _modules_of_libraries() -> dict[str, Path]:
    return {
        _module(PurePosixPath(name)): path
        for library in LIBRARIES
        for name, path in _files_of(library).items()
        if name.endswith(".py")
    }


def _files_of(library: str) -> dict[str, Path]:
    """Return the files of an installed distribution, without what installing it has left there."""
    installed = distribution(library)
    return {
        file.as_posix(): Path(str(installed.locate_file(file)))
        for file in installed.files or ()
        if ".." not in file.parts and "__pycache__" not in file.parts and not file.parts[0].endswith(".dist-info")
    }


def _module(name: PurePosixPath) -> str:
    parts = name.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _name_in_zip(module: str, path: Path) -> str:
    return module.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")


def _describe(code: LambdaZip) -> str:
    with zipfile.ZipFile(code.path) as archive:
        entries = archive.infolist()
    packed, unpacked = code.path.stat().st_size / 1e6, sum(entry.file_size for entry in entries) / 1e6
    return f"{code.path}: {packed:.2f} MB, {unpacked:.2f} MB in {len(entries)} files, {code.content_hash[:12]}"


if __name__ == "__main__":
    for code in build_all().values():
        print(_describe(code))
