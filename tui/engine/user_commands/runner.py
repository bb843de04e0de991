"""Run a program of the user: without a shell, without keys, and so that it can be stopped.

Its standard input is a file, so that it may hold any number of rows and a program that does not
read it blocks nobody. It gets listed environment variables only, and never one that may hold the
key of an account. It runs in its own process group, which is ended as a whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tui.engine.accounts import Accounts
from tui.errors import BatchdeckError
from tui.processes import listed_variables
from tui.providers.profiles.load import shipped_ids

MAX_OUTPUT_BYTES = 64_000
"""Bytes of output that are kept."""

_PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM"),
        *("TMPDIR", "TEMP", "TMP", "PWD", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
        *("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
        *("XDG_CACHE_HOME", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "WINDIR"),
        *("USERPROFILE", "APPDATA", "LOCALAPPDATA", "BATCHDECK_HOME"),
        *("COLORTERM", "TERMINFO", "TERM_PROGRAM", "NO_COLOR", "EDITOR", "VISUAL", "PAGER"),
    }
)
"""Variables that a program gets, besides ``LC_*`` and those that the configuration lists."""

_KEY_PREFIX = "BATCHDECK_KEY_"


class ProgramResult(NamedTuple):
    """How a program ended.

    Attributes:
        code: Its exit code; ``None`` if it was stopped because its time was over.
        output: What it wrote to standard output and standard error; the first bytes of it.
        is_cut: Whether it wrote more.
    """

    code: int | None
    output: str
    is_cut: bool = False

    @property
    def good(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.code == 0


def passed_on(
    environment: Mapping[str, str], listed: Iterable[str] = (), keys: Iterable[str] = ()
) -> dict[str, str]:
    """The variables that a program gets: listed names only, because any may hold a secret.

    Args:
        environment: All variables.
        listed: Further names, from the configuration.
        keys: The variables that hold keys of accounts; they are never passed on.
    """
    kept = listed_variables(environment, _PASSED | set(listed), ("LC_",))
    secret = set(keys)
    return {
        name: value
        for name, value in kept.items()
        if name not in secret and not name.startswith(_KEY_PREFIX)
    }


def key_variables(accounts: Accounts) -> set[str]:
    """The variables from which keys of accounts and of known providers are read."""
    found: set[str] = set()
    for name in (*accounts.names(), *shipped_ids()):
        # An account that cannot be used is no reason to pass on the keys of others.
        with contextlib.suppress(BatchdeckError):
            found.update(accounts.info(name).variables)
    return found


def environment_for(accounts: Accounts, listed: Sequence[str]) -> dict[str, str]:
    """The environment of a program: see ``passed_on``.

    Args:
        accounts: Whose keys are not passed on.
        listed: Names of further variables, from the configuration.
    """
    # Nothing that is always passed on is a key.
    keys = key_variables(accounts) if listed else ()
    return passed_on(os.environ, listed, keys)


async def run_program(
    argv: Sequence[str],
    stdin: Path,
    *,
    environment: Mapping[str, str],
    folder: Path,
    seconds: float | None = None,
    captured: bool = True,
) -> ProgramResult:
    """Run a program and wait for it; if the caller is cancelled, it is stopped.

    Args:
        argv: The program and its arguments.
        stdin: The file that it reads as its standard input.
        environment: All variables that it gets.
        folder: Its working folder.
        seconds: When it is stopped; ``None`` for never.
        captured: Its output is returned; otherwise it goes to standard output and standard error.

    Raises:
        OSError: It cannot be run.
        ValueError: An argument has a NUL character.
    """
    pipe = asyncio.subprocess.PIPE if captured else None
    with stdin.open("rb") as stream:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=stream,
            stdout=pipe,
            stderr=asyncio.subprocess.STDOUT if captured else None,
            env=dict(environment),
            cwd=folder,
            # Its own process group: its children stop with it, and ctrl+c does not reach it.
            start_new_session=True,
        )
    kept = bytearray()
    length = 0
    try:
        async with asyncio.timeout(seconds):
            while process.stdout is not None and (chunk := await process.stdout.read(65536)):
                length += len(chunk)
                kept.extend(chunk[: max(0, MAX_OUTPUT_BYTES - len(kept))])
            code: int | None = await process.wait()
    except TimeoutError:
        code = None
    finally:
        _stop(process)
        await process.wait()
    return ProgramResult(code, kept.decode("utf-8", "replace"), length > len(kept))


def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
