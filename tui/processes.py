"""Name this process, tell whether another one still runs, and start children without keys.

A process id alone is not enough: it is given again after the process ended, and it means something
else in another container that shares the home. A name therefore holds the boot of the machine, the
namespace of process ids and the start time of the process, where the system tells them (Linux).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_MARK = "v2"
_FIELDS = 7


def process_name() -> str:
    """A name for this process that no other process ever has, on any machine."""
    host = socket.gethostname().replace(":", "-")
    start = _start_of(os.getpid()) or ""
    fields = (
        _MARK,
        host,
        _boot(),
        process_namespace(),
        str(os.getpid()),
        start,
        os.urandom(4).hex(),
    )
    return ":".join(fields)


def process_is_running(name: str) -> bool | None:
    """Whether the process with a name of ``process_name`` runs; ``None`` if nobody can tell here.

    Nobody can tell of a process in another container, on another machine or before the last boot,
    nor of a name that an earlier version gave.
    """
    fields = name.split(":")
    if len(fields) != _FIELDS or fields[0] != _MARK:
        return None
    _, host, boot, namespace, number, start, _ = fields
    if (boot, namespace) != (_boot(), process_namespace()):
        return None
    if not boot and host != socket.gethostname().replace(":", "-"):
        return None
    if not number.isascii() or not number.isdecimal():
        return None
    if not start:
        return is_running(int(number))
    return _start_of(int(number)) == start


def is_running(pid: int) -> bool:
    """Whether a process on this machine is running; true when that cannot be determined."""
    if os.name == "nt":
        # On Windows os.kill would terminate the process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It exists and belongs to another user.
        return True
    return True


def listed_variables(
    environment: Mapping[str, str], names: Collection[str], prefixes: tuple[str, ...] = ()
) -> dict[str, str]:
    """The environment without what is not listed: any other variable may hold a key.

    Args:
        environment: All variables.
        names: The variables to keep.
        prefixes: Beginnings of further names to keep.
    """
    return {
        name: value
        for name, value in environment.items()
        if name in names or name.startswith(prefixes)
    }


def child_environment(names: Collection[str], prefixes: tuple[str, ...] = ()) -> dict[str, str]:
    """The environment of a child process that runs a module of this package."""
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = listed_variables(os.environ, names, prefixes)
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def run_in_terminal(
    words: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> int:
    """Run a program that has the terminal, and wait for it; returns its exit code.

    What is pressed meanwhile is for the program: ctrl+c does not end this process as well.

    Args:
        words: The program and its arguments.
        environment: All variables that it gets; those of this process by default.
        folder: Its working folder; that of this process by default.

    Raises:
        OSError: It cannot be run.
        ValueError: An argument has a NUL character.
    """
    with _interrupts_ignored():
        return subprocess.run(words, check=False, env=environment, cwd=folder).returncode


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler, in place of ignoring the signal: the child would inherit that.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    # An event loop hears of signals through this, whatever their handler is.
    wakeup = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGINT, before)


def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


def process_namespace() -> str:
    """What the ids of processes are numbers in: another container has another one (Linux)."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """When a process started, in clock ticks since the boot; ``None`` if it does not run."""
    status = _read(f"/proc/{pid}/stat")
    # The name of the program stands in parentheses and may hold spaces: count behind it.
    fields = status.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in ("Z", "X"):
        return None
    return fields[19]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
