"""The program's commands, run in this process with a separate home."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Done
from tui.cli.program import program


class Said(Done):
    """The exit code and output of a command; a crash raises instead."""

    def is_clear_error(self) -> bool:
        """Is it an error in two lines, without a traceback and not an unexpected one?"""
        return (
            self.code in (2, 3, 4, 5)
            and re.search(r"(?m)^error: .", self.err) is not None
            and "Traceback" not in self.err
            and "unexpected error" not in self.err
        )


class Commands:
    """Runs commands: ``commands("list", "--json")``."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        monkeypatch.setenv("BATCHDECK_HOME", str(home))
        monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")

    def __call__(self, *words: str | Path) -> Said:
        result = CliRunner().invoke(program, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    def in_process(self, *words: str | Path) -> Said:
        """Run a command in a new process, and wait until it ends."""
        done = subprocess.run(
            [sys.executable, "-m", "tui", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Said(done.returncode, done.stdout, done.stderr)
