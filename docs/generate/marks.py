# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which test exercises which item of tests/coverage.yml: what ``covers`` says in the tests and in the molecule scenarios.

The tests are read and not imported: pytest needs some ten times as long to collect them, which a contract test does to show that both
find the same. ``covers`` stands where pytest finds it:

- ``@pytest.mark.covers("LP-3-4")`` on a test, or in the ``marks`` of a ``pytest.param`` for one row;
- ``covers=("LP-3-4",)`` of a ``Case``, which its test turns into that mark;
- ``covers`` in the ``expected.yml`` of a scenario.

Anywhere else it would say nothing, so it is refused there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from .source import SourceError

TestFunction = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, order=True)
class Exercise:
    """One test that exercises one item.

    Attributes:
        item: id of the item.
        path: of the file, from the root of the repository.
        test: name of the test; empty for a scenario.
        row: of the test, where only that row exercises it; empty where all of them do.
    """

    item: str
    path: str
    test: str = ""
    row: str = ""

    @property
    def name(self) -> str:
        """As pytest names it."""
        return self.path + (f"::{self.test}" if self.test else "") + (f"[{self.row}]" if self.row else "")


def exercises(root: Path) -> list[Exercise]:
    """All of them, in order; SourceError where one cannot be told."""
    # tests/support makes the marks of rows out of what these files say.
    files = [path for path in sorted((root / "tests").rglob("*.py")) if root / "tests" / "support" not in path.parents]
    said = {path for path in files if "covers" in path.read_text(encoding="utf-8")}
    # Rows may be in a file beside that of their test.
    folders = {path.parent for path in said if not path.name.startswith("test_")}
    modules = _Modules(root)
    found = [
        one
        for path in files
        if path.name.startswith("test_") and (path in said or path.parent in folders)
        for one in modules[path].exercises()
    ]
    for path in sorted(said):
        if lost := modules[path].lost():
            raise SourceError(f"{modules[path].name}:{lost[0]}: this covers belongs to no test that pytest finds")
    return sorted({*found, *_of_scenarios(root)})


def _of_scenarios(root: Path) -> Iterator[Exercise]:
    for path in sorted((root / "molecule").glob("*/expected.yml")):
        name = path.relative_to(root).as_posix()
        covered = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("covers", [])
        if not (isinstance(covered, list) and all(isinstance(one, str) for one in covered)):
            raise SourceError(f"{name}: covers is a list of ids")
        yield from (Exercise(one, name) for one in covered)


class _Modules(dict[Path, "_Module"]):
    """Each file, read once."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def __missing__(self, path: Path) -> _Module:
        self[path] = module = _Module(path, self)
        return module


class _Module:
    """A file of tests, or one beside it that has its rows."""

    def __init__(self, path: Path, modules: _Modules) -> None:
        self.path, self._modules = path, modules
        self.name = path.relative_to(modules.root).as_posix()
        self.tree = ast.parse(path.read_text(encoding="utf-8"), filename=self.name)
        self._seen: set[int] = set()

    def exercises(self) -> Iterator[Exercise]:
        for test in self.tests():
            yield from self.of_test(test)

    def tests(self) -> Iterator[Any]:
        """What pytest finds: functions by their names, and names that what a function such as ``table`` returns is bound to."""
        for node in self.tree.body:
            if isinstance(node, TestFunction):
                if node.name.startswith("test"):
                    yield node
            elif (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and node.targets[0].id.startswith("test")
                and isinstance(node.value, ast.Call)
            ):
                yield node

    def of_test(self, node: Any) -> Iterator[Exercise]:
        name, parts = (
            (node.name, node.decorator_list)
            if isinstance(node, TestFunction)
            else (node.targets[0].id, [*node.value.args, *(one.value for one in node.value.keywords)])
        )
        for part in parts:
            for item, row in self._said(part, "", set()):
                yield Exercise(item, self.name, name, row)

    def _said(self, node: ast.AST, row: str, names: set[str]) -> Iterator[tuple[str, str]]:
        """The ids below a node, each with its row."""
        if isinstance(node, ast.Name) and node.id not in names:
            names = {*names, node.id}
            if node.id in self._constants:
                yield from self._said(self._constants[node.id], row, names)
            elif node.id in self._imported:
                yield from self._imported[node.id]._said(ast.Name(node.id), row, names - {node.id})
            return
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                yield from self._said(value, _text(key) or row, names)
            return
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "pytest.mark.covers":
                self._seen.add(node.lineno)
                yield from ((item, row) for item in self._ids(node, node.args))
                return
            if called == "pytest.param":
                given = next((one.value for one in node.keywords if one.arg == "id"), None)
                row = _text(given) or (_text(node.args[0]) if node.args else "") or row
            if called == "Case":
                row = row or (_text(node.args[0]) if node.args else "")
                for one in (one for one in node.keywords if one.arg == "covers"):
                    self._seen.add(one.value.lineno)
                    inside = one.value.elts if isinstance(one.value, ast.Tuple) else []
                    yield from ((item, row) for item in self._ids(one.value, inside))
        for child in ast.iter_child_nodes(node):
            yield from self._said(child, row, names)

    def _ids(self, node: Any, values: list[ast.expr]) -> list[str]:
        ids = [_text(value) for value in values]
        if not ids or not all(ids):
            raise SourceError(f'{self.name}:{node.lineno}: covers takes the ids themselves, such as "LP-3-4"')
        return ids

    def lost(self) -> list[int]:
        """The lines of what says ``covers`` and was not met on the way from a test."""
        there = {
            node.lineno
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Attribute) and node.attr == "covers" and ast.unparse(node.value) == "pytest.mark"
        }
        # Of a row, the value: the keyword itself may stand on a line of its own.
        for call in (
            node for node in ast.walk(self.tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Case"
        ):
            there |= {one.value.lineno for one in call.keywords if one.arg == "covers"}
        return sorted(there - self._seen)

    @cached_property
    def _constants(self) -> dict[str, ast.expr]:
        """What names of the file are bound to."""
        found: dict[str, ast.expr] = {}
        for node in self.tree.body:
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value:
                    found[target.id] = node.value
        return found

    @cached_property
    def _imported(self) -> dict[str, _Module]:
        """Names that a file in the same folder has."""
        found: dict[str, _Module] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                path = self.path.parent / f"{node.module}.py"
                if path.is_file():
                    found |= {one.asname or one.name: self._modules[path] for one in node.names}
        return found


def _text(node: ast.AST | None) -> str:
    """A text that stands there as it is, or ""."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
