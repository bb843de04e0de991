"""The shape of the package: sizes of modules and folders, names, and who may import whom.

The arrows between rooms are contracts of import-linter in ``pyproject.toml``; what an import
really loads is measured in ``test_imports.py``.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

import pytest

import tui

PACKAGE = Path(tui.__file__).parent
MOST_LINES = 600
MOST_MODULES = 15
FILES = sorted(PACKAGE.rglob("*.py"))


def test_a_module_has_at_most_600_lines() -> None:
    long = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in FILES
        if (lines := len(path.read_bytes().splitlines())) > MOST_LINES
    }
    assert long == {}


def test_a_folder_has_at_most_15_modules() -> None:
    modules = Counter(path.parent for path in FILES if path.name != "__init__.py")
    crowded = {
        str(folder.relative_to(PACKAGE)): n for folder, n in modules.items() if n > MOST_MODULES
    }
    assert crowded == {}


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    named = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if path.parent == PACKAGE and path.stem in sys.stdlib_module_names
    }
    assert named == set()


def test_a_folder_says_what_it_is_and_exports_nothing() -> None:
    """But those that are an entrance, or have to act before Textual is imported (``ui``)."""
    for path in FILES:
        if path.name != "__init__.py" or path.parent == PACKAGE:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        assert ast.get_docstring(tree), path
        if path.parent.name not in ("client", "sandbox", "cli", "samples", "ui"):
            assert len(tree.body) == 1, f"{path} should hold a docstring alone"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_method_is_a_stub_for_a_sibling(path: Path) -> None:
    stubs = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and "NotImplementedError" in ast.unparse(node.exc)
    ]
    assert stubs == []


def module_name(path: Path) -> str:
    parts = ["tui", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, modules: set[str]) -> set[str]:
    """All modules of the package that a module imports: at the top, lazily, or for typing only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in modules else node.module)
    return found & modules


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, directly or not (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = lowest[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], index[other])
        if lowest[name] == index[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                groups.append(sorted(stack[at:]))
            del stack[at:]

    for name in graph:
        if name not in index:
            visit(name)
    return groups


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_no_modules_import_each_other() -> None:
    modules = {module_name(path) for path in FILES}
    assert circles({module_name(path): imports_of(path, modules) for path in FILES}) == []
