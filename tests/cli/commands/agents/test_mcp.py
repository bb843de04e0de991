"""``mcp``: what it refuses before it serves. The server itself: ``tests/mcp``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_without_the_library_it_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mcp", "mcp.server.mcpserver"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "tui.mcp.server", raising=False)
    done = run("mcp", "--folder", ".")
    assert (done.code, done.out) == (2, "")
    assert "pip install 'batchdeck[mcp]'" in done.err


def test_wrong_options_end_it(run: Run) -> None:
    for arguments in (["--folder", "nowhere"], ["--budget", "-1"]):
        done = run("mcp", *arguments)
        assert (done.code, done.out) == (2, "") and "hint:" in done.err


def test_a_home_folder_is_not_served_unasked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in (tmp_path, Path("/")):
        monkeypatch.chdir(folder)
        done = run("mcp")
        assert done.code == 2 and "--folder DIR" in done.err


def test_the_server_is_not_loaded_by_other_commands() -> None:
    code = "import json, sys, tui.cli.commands.agents.mcp; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"mcp", "pydantic", "tui.mcp.server", "starlette", "msgspec"}
