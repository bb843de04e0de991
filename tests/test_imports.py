"""Imports point one way: core, then compose, providers and store, then engine, then the faces.

What an import really loads is looked at in a process of its own; imports that a function makes
when it runs are read from the source.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tui

PACKAGE = Path(tui.__file__).parent

MAY_LOAD: dict[str, set[str]] = {
    "core": set(),
    "compose": {"core"},
    "providers": {"core"},
    "store": {"core"},
    "sandbox": set(),
    "engine": {"core", "compose", "providers", "store"},
    "client": {"core", "compose", "providers", "store", "engine"},
    "mcp": {"core", "compose", "providers", "store", "engine"},
    "cli": {"core", "compose", "providers", "store", "engine"},
    "ui": {"core", "compose", "providers", "store", "engine"},
}
"""The layers that an import of a layer may bring along, beside itself."""

MAY_CALL: dict[str, set[str]] = {
    **MAY_LOAD,
    "engine": MAY_LOAD["engine"] | {"sandbox"},
    "cli": MAY_LOAD["cli"] | {"sandbox", "ui", "mcp"},
    "ui": MAY_LOAD["ui"] | {"sandbox"},
}
"""The layers that a layer may also reach for while it runs: the sandbox of this machine runs
inside the engine's process, and the launcher opens the dashboard."""

FOREIGN: dict[str, set[str]] = {
    "core": {"textual", "httpx", "click", "sqlite3", "starlette", "uvicorn", "jinja2", "asyncio"},
    "compose": {"textual", "httpx", "click", "starlette", "uvicorn"},
    "providers": {"textual", "sqlite3", "starlette", "uvicorn", "jinja2"},
    "store": {"textual", "httpx", "click", "starlette", "uvicorn", "jinja2"},
    "sandbox": {"textual", "httpx", "keyring"},
    "engine": {"textual", "starlette", "uvicorn"},
    "client": {"textual", "starlette", "uvicorn", "pandas", "polars", "pyarrow", "mcp"},
    "mcp": {"textual", "pandas", "polars", "pyarrow"},
    "cli": {"textual", "httpx", "msgspec", "sqlite3", "starlette", "uvicorn", "jinja2", "keyring"},
    "ui": {"starlette", "uvicorn"},
}
"""Libraries that an import of a layer never loads. (httpx itself loads click.)"""


def modules_of(layer: str) -> list[str]:
    """The dotted names of all modules of a layer; none when the layer is not there yet."""
    files = [*PACKAGE.glob(f"{layer}/**/*.py"), *PACKAGE.glob(f"{layer}.py")]
    names = []
    for file in files:
        parts = ["tui", *file.relative_to(PACKAGE).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        names.append(".".join(parts))
    return sorted(names)


def loaded_by(*modules: str) -> set[str]:
    """All modules that are there after an import, in a process of its own."""
    code = f"import sys, json, {', '.join(modules)}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def layer_of(module: str) -> str | None:
    """``tui.core.rows`` is of ``core``; the errors, the paths and other names are of no layer."""
    parts = module.split(".")
    return parts[1] if parts[0] == "tui" and len(parts) > 1 and parts[1] in MAY_LOAD else None


LAYERS = [layer for layer in MAY_LOAD if modules_of(layer)]


def importable(layer: str) -> list[str]:
    """The modules of a layer whose import is of interest; the app's scripts run on import."""
    return [name for name in modules_of(layer) if not name.endswith("__main__")]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_loads_only_the_layers_below_it(layer: str) -> None:
    loaded = loaded_by(*importable(layer))
    layers = {found for name in loaded if (found := layer_of(name)) is not None}
    assert sorted(layers - MAY_LOAD[layer] - {layer}) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_stays_away_from_libraries_of_other_layers(layer: str) -> None:
    loaded = {name.partition(".")[0] for name in loaded_by(*importable(layer))}
    assert sorted(loaded & FOREIGN[layer]) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_no_function_of_a_layer_imports_against_the_law(layer: str) -> None:
    wrong = [
        f"{name}: {imported}"
        for name in modules_of(layer)
        for imported in imports_written_in(name)
        if (other := layer_of(imported)) is not None and other not in MAY_CALL[layer] | {layer}
    ]
    assert not wrong


def test_only_the_ui_imports_textual() -> None:
    wrong = [
        name
        for layer in (*LAYERS, "errors", "paths", "config", "keys", "__main__")
        if layer != "ui"
        for name in modules_of(layer)
        for imported in imports_written_in(name)
        if imported.partition(".")[0] in ("textual", "rich")
    ]
    assert not wrong


def test_importing_the_cli_loads_neither_textual_nor_httpx() -> None:
    loaded = loaded_by("tui.cli")
    assert "click" in loaded
    assert not loaded & {"textual", "httpx", "msgspec", "asyncio", "sqlite3", "tui.engine.engine"}


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["show", "none"]])
def test_commands_that_only_read_leave_the_engine_alone(command: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, json\nfrom tui.cli.program import program\n"
        f"program.main({command!r}, standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"BATCHDECK_HOME": str(tmp_path), "PYTHONPATH": str(PACKAGE.parent)},
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "tui.store.history" in loaded
    assert not loaded & {"tui.engine.engine", "tui.providers", "asyncio", "httpx", "jinja2"}


def imports_written_in(module: str) -> list[str]:
    """Every absolute name that a module's source imports, at the top or inside a function."""
    parts = module.split(".")
    base = PACKAGE.parent.joinpath(*parts)
    is_package = base.is_dir()
    file = base / "__init__.py" if is_package else base.with_suffix(".py")
    package = parts if is_package else parts[:-1]
    names = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            anchor = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*anchor, *([node.module] if node.module else [])])
            # "from tui import errors" names a module, not an attribute.
            names += (
                [f"{origin}.{alias.name}" for alias in node.names] if origin == "tui" else [origin]
            )
    return names
