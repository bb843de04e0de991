"""A Secret Service of its own, and ways to run the program beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SECRET_SERVICE = "keyring.backends.SecretService.Keyring"

# The daemon ends with its bus, the bus with the shell, the shell with the end of its input.
_SESSION = """
printf %s "$PASSWORD" | gnome-keyring-daemon --unlock --components=secrets >/dev/null
echo "$DBUS_SESSION_BUS_ADDRESS"
exec cat >/dev/null
"""


@dataclass(frozen=True)
class Done:
    """What one run of the program gave."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


def in_ci() -> bool:
    """Must nothing be skipped?"""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def missing_tools() -> list[str]:
    """The programs of a Secret Service that this machine does not have."""
    return [tool for tool in ("dbus-run-session", "gnome-keyring-daemon") if not shutil.which(tool)]


@contextlib.contextmanager
def session(home: Path) -> Iterator[str]:
    """The address of a session bus with an unlocked gnome-keyring on it.

    Without its programs the test is skipped; in CI it fails.
    """
    if missing := missing_tools():
        words = f"not installed: {', '.join(missing)} (.ci/run installs them)"
        if in_ci():
            pytest.fail(words)
        pytest.skip(words)
    folders = {}
    for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        (home / name).mkdir(mode=0o700)
        folders[name] = str(home / name)
    bus = subprocess.Popen(
        ["dbus-run-session", "--", "sh", "-c", _SESSION],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PASSWORD": "opens", **folders},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert bus.stdin is not None and bus.stdout is not None
    address = bus.stdout.readline().strip()
    assert address.startswith("unix:"), "the session did not start"
    try:
        yield address
    finally:
        bus.stdin.close()
        bus.stdout.close()
        assert bus.wait(20) == 0


@pytest.fixture(scope="session")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a session bus with an unlocked keyring, the same for all tests."""
    with session(tmp_path_factory.mktemp("session")) as address:
        yield address


@pytest.fixture
def batchdeck(tmp_path: Path) -> Run:
    """Run the program as a process: ``batchdeck("keys", "status", NAME="value")``."""

    def runner(*arguments: str, stdin: str = "", **variables: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "tui", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PYTHONWARNINGS": "error", **variables},
            cwd=tmp_path,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return runner
