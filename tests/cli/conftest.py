"""A separate home for each test, and the program in this process or in a new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tui.cli.program import program

REQUESTS = """\
{"custom_id": "req-1", "method": "POST", "url": "/v1/chat/completions", \
"body": {"model": "gpt-4", "messages": [{"role": "user", "content": "What is 2+2?"}]}}
{"custom_id": "req-2", "method": "POST", "url": "/v1/chat/completions", \
"body": {"model": "gpt-4", "messages": [{"role": "user", \
"content": "What is the capital of France?"}]}}
{"custom_id": "req-3", "method": "POST", "url": "/v1/chat/completions", \
"body": {"model": "gpt-4", "messages": [{"role": "user", \
"content": "Explain quantum computing in simple terms"}]}}
"""
"""The three requests of the quick start guide."""


def request_line(custom_id: str, content: str, **body: Any) -> str:
    """One line of a requests file."""
    messages = [{"role": "user", "content": content}]
    request = {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4", "messages": messages, **body},
    }
    return json.dumps(request) + "\n"


@dataclass(frozen=True)
class Done:
    """The exit code and output of one run of the program."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.split("\n") if line]


Run = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment without keys and with a sandbox without delays."""
    return isolate(home, monkeypatch)


def isolate(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give this process one home, no keys, no shell of somebody's and a fast sandbox."""
    for name in list(os.environ):
        if name.startswith("BATCHDECK_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    # The files of the shell are of a person who is not the one that runs the tests.
    monkeypatch.setenv("HOME", str(home.parent / "person"))
    monkeypatch.setenv("BATCHDECK_HOME", str(home))
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    return dict(os.environ)


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run the program in this process: ``run("list", "--json")``."""
    return run_here


def run_here(*arguments: str | Path, stdin: str = "") -> Done:
    """Run the program in this process, with its environment."""
    result = CliRunner().invoke(program, [str(a) for a in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def batchdeck(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run the program in a new process with pipes."""

    def runner(*arguments: str | Path, stdin: str = "", **variables: str) -> Done:
        done = subprocess.run(
            command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**environment, **variables},
            cwd=tmp_path,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return runner


def command(*arguments: str | Path) -> Sequence[str]:
    """The command line that starts the program."""
    return [sys.executable, "-m", "tui", *map(str, arguments)]


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    file = tmp_path / "requests.jsonl"
    file.write_text(REQUESTS, "utf-8")
    return file
