"""Rule files: YAML read with the line of everything, so that an error says where it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tapeline.market.alerting import fields
from tapeline.market.alerting.fields import RuleError
from tapeline.market.alerting.rules import RuleSet, read_rules

SUFFIXES = (".yaml", ".yml")
MOST_BYTES = 1_000_000


class RuleFileError(ValueError):
    """A rule file that cannot be used; the message names file, line, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """What some rule files say.

    Attributes
    ----------
    based_on : int or None
        The version that the files were exported from; None if they do not say.
    """

    rules: RuleSet
    based_on: int | None


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Return the rule files among some paths: files as they are, of a folder its ``.yaml`` and ``.yml``.

    Raises
    ------
    RuleFileError
        If a path does not exist, or a folder has none.
    """
    files: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES) if path.is_dir() else [path]
        if not inside or not all(file.is_file() for file in inside):
            raise RuleFileError(f"{path}: expected a rule file, or a folder with .yaml files; found none")
        files += inside
    return files


def read_files(paths: Iterable[Path]) -> RuleFiles:
    """Read rule files into one set.

    Raises
    ------
    RuleFileError
        At the first thing that is not as expected.
    """
    files = files_of(paths)
    nodes = [_compose(file) for file in files]
    documents = [yaml.SafeLoader("").construct_document(node) if node else {} for node in nodes]
    try:
        rules = read_rules([((number,), document or {}) for number, document in enumerate(documents)])
        stated = [_based_on(document, number) for number, document in enumerate(documents)]
    except RuleError as error:
        place, *path = error.path
        file = files[int(place)]
        where = fields.dotted(tuple(path))
        line = _line(nodes[int(place)], path)
        expected = f"expected {error.expected}, found {error.found}"
        raise RuleFileError(f"{file}:{line}: {f'{where}: ' if where else ''}{expected}") from None
    versions = {version for version in stated if version is not None}
    if len(versions) > 1:
        raise RuleFileError(f"expected files exported from one version, found based_on {sorted(versions)}")
    return RuleFiles(rules, versions.pop() if versions else None)


def _compose(file: Path) -> yaml.Node | None:
    if file.stat().st_size > MOST_BYTES:
        raise RuleFileError(f"{file}: expected at most {MOST_BYTES:,} bytes, found {file.stat().st_size:,}")
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RuleFileError(f"{file}:{line}: expected YAML, found that {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RuleFileError(f"{file}:1: expected YAML in UTF-8: {error}") from None
    except RecursionError:
        raise RuleFileError(f"{file}:1: expected a few levels of lists and maps, found hundreds") from None
    if node is not None:
        _refuse_repeats(file, node, seen=set())
    return node


def _refuse_repeats(file: Path, node: yaml.Node, seen: set[int]) -> None:
    """Refuse a key that stands twice, of which YAML's readers silently take the last."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise RuleFileError(f"{file}:{key.start_mark.line + 1}: expected a word as key, found a {key.id}")
            if key.value in keys:
                raise RuleFileError(
                    f"{file}:{key.start_mark.line + 1}: expected each key once, found {key.value!r} twice"
                )
            keys.add(key.value)
            _refuse_repeats(file, value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeats(file, value, seen)


def _based_on(document: Any, number: int) -> int | None:
    value = document.get("based_on") if isinstance(document, Mapping) else None
    if value is not None and (type(value) is not int or value < 1):
        raise RuleError((number, "based_on"), "the number of a version", value)
    return value


def _line(node: yaml.Node | None, path: list[str | int]) -> int:
    """Return the line, from 1, of what a path leads to, or of the last part of the way that exists."""
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
