"""The one file that knows MiniStack: what it names is there, and nothing else in the package names it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import localaws

SCRIPT = """
import json, sys
from pathlib import Path
from localaws.environment import prepare
from localaws.settings import KeyPair
prepare(Path(sys.argv[1]), 4599, KeyPair("AKIAAAAAAAAAAAAAAAAA", "secret"))
from localaws import ministack_names
names = {name: value for name, value in vars(ministack_names).items() if isinstance(value, ministack_names.Name)}
print(json.dumps({
    name: [value.module.__name__, value.attribute, value.reason, hasattr(value.module, value.attribute)]
    for name, value in names.items()
}))
"""


def test_every_name_is_there_and_has_its_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    names = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(names) > 30
    assert [f"{module}.{attribute}" for module, attribute, _, exists in names.values() if not exists] == []
    assert [name for name, (*_, reason, _) in names.items() if not reason] == []
    places = [(module, attribute) for module, attribute, *_ in names.values()]
    assert len(set(places)) == len(places)


def test_no_other_module_imports_ministack() -> None:
    root = Path(localaws.__file__).parent
    importing = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(module.partition(".")[0] == "ministack" for module in modules):
                importing.append(path.name)
    assert set(importing) == {"ministack_names.py"}


def test_every_name_is_used() -> None:
    root = Path(localaws.__file__).parent
    others = "".join(path.read_text() for path in root.rglob("*.py") if path.name != "ministack_names.py")
    tree = ast.parse((root / "ministack_names.py").read_text())
    named = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert [name for name in named if f"base.{name}" not in others] == []
