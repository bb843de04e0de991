"""Work in a child process, which is ended when it takes too much time or memory.

A template, a pattern or an image of a stranger can keep one call into C code busy for hours.
Nothing inside the interpreter can end that. So such work is done by a child process: the kernel
ends it when its processor time is used up, and gives it no memory beyond its limit.

The child has no keys: its environment has listed names only. It ends when its input is closed,
so it never outlives this process.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

_HEAD = struct.Struct("!dQ")
"""The processor time of a call in seconds, and the length of its request."""

_ANSWER_HEAD = struct.Struct("!BQ")
_DONE, _NO_MEMORY = 0, 1

_MEMORY = 192 << 20
"""Bytes that a call may use besides a multiple of its request, if nothing else is said."""

_PER_REQUEST_BYTE = 8
_MAX_ANSWER = 1 << 30
_WALL_FACTOR = 20
"""Where a process has no limit of processor time, a call ends after so many times its seconds."""

_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT")


class LimitReachedError(Exception):
    """A call took more time (``what`` is ``time``) or more memory (``memory``) than it may."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class ProcessLostError(Exception):
    """The child process cannot be started, or was ended from outside."""


class LimitedProcess:
    """Child processes that answer calls; started when needed, kept for the next call.

    Safe to use from several threads: each call has a process of its own.

    Args:
        module: Name of the module whose function ``answer(request)`` runs in the child.
        memory: Bytes that a call may use, besides a multiple of its request; 0 for no limit.
        most_idle: How many processes are kept for later calls.
        niceness: By how much their priority is lowered.
    """

    def __init__(
        self, module: str, *, memory: int = _MEMORY, most_idle: int = 2, niceness: int = 0
    ) -> None:
        self._arguments = (module, str(memory), str(niceness))
        self._most_idle = most_idle
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def call(self, request: object, *, seconds: float) -> bytes:
        """Run ``answer`` in a child process. Blocking.

        Args:
            request: The argument; pickled, so it must consist of the standard library's types.
            seconds: The processor time that the call may take.

        Returns:
            The bytes that ``answer`` returned.

        Raises:
            LimitReachedError: It takes too much time or memory.
            ProcessLostError: There is no child process.
        """
        data = pickle.dumps(request)
        process = self._take()
        try:
            answer = self._ask(process, data, seconds)
        except BaseException:
            _end(process)
            raise
        with self._lock:
            if len(self._idle) < self._most_idle:
                self._idle.append(process)
                return answer
        _end(process)
        return answer

    def close(self) -> None:
        """End the idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            _end(process)

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
                _end(process)
        try:
            return _start(self._arguments)
        except OSError as error:
            raise ProcessLostError(f"cannot start a process: {error.strerror}") from error

    def _ask(self, process: subprocess.Popen[bytes], data: bytes, seconds: float) -> bytes:
        assert process.stdin is not None and process.stdout is not None
        watch = None
        if not _has_timer():
            watch = threading.Timer(seconds * _WALL_FACTOR, process.kill)
            watch.start()
        try:
            process.stdin.write(_HEAD.pack(seconds, len(data)))
            process.stdin.write(data)
            process.stdin.flush()
            head = process.stdout.read(_ANSWER_HEAD.size)
            if len(head) == _ANSWER_HEAD.size:
                how, length = _ANSWER_HEAD.unpack(head)
                answer = process.stdout.read(length) if length <= _MAX_ANSWER else b""
                if how == _NO_MEMORY:
                    raise LimitReachedError("memory")
                if len(answer) == length:
                    return answer
        except OSError:
            # It was ended while it was written to; its exit code says why.
            pass
        finally:
            if watch is not None:
                watch.cancel()
        raise self._lost(process)

    def _lost(self, process: subprocess.Popen[bytes]) -> Exception:
        code = process.wait()
        if _has_timer():
            import signal

            if code == -signal.SIGPROF:
                return LimitReachedError("time")
        elif code != 0:
            return LimitReachedError("time")
        if code < 0:
            # C code that gets no memory aborts.
            return LimitReachedError("memory")
        return ProcessLostError(f"the process ended with {code}")


def _has_timer() -> bool:
    import signal

    return hasattr(signal, "setitimer")


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    # Imported here: the child process does not need it, and starts sooner without it.
    from tui.processes import child_environment

    process = subprocess.Popen(
        # -P: no module is taken from the current folder.
        [sys.executable, "-P", "-m", "tui.limited_process", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(_ENVIRONMENT),
        # ctrl+c ends the caller, which ends the child.
        start_new_session=True,
    )
    _STARTED.add(process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.kill()
    process.wait()
    _STARTED.discard(process)


_STARTED: set[subprocess.Popen[bytes]] = set()


@atexit.register
def _end_all() -> None:
    for process in list(_STARTED):
        _end(process)


def _serve(module: str, memory: int, requests: BinaryIO, answers: BinaryIO) -> None:
    """Main loop of the child process."""
    answer = importlib.import_module(module).answer
    used = _address_space()
    while head := requests.read(_HEAD.size):
        seconds, length = _HEAD.unpack(head)
        if memory:
            _limit_memory(used, memory + _PER_REQUEST_BYTE * length)
        _limit_time(seconds)
        how = _DONE
        made = b""
        try:
            made = answer(pickle.loads(requests.read(length)))
        except MemoryError:
            how = _NO_MEMORY
        _limit_time(0)
        answers.write(_ANSWER_HEAD.pack(how, len(made)))
        answers.write(made)
        answers.flush()


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _limit_memory(used: int, more: int) -> None:
    try:
        import resource
    except ImportError:
        return
    most = (used or (1 << 30)) + more
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _limit_time(seconds: float) -> None:
    """Let the kernel end this process after some processor time; 0 for no limit."""
    if _has_timer():
        import signal

        # Its default action ends the process, whatever code is running.
        signal.setitimer(signal.ITIMER_PROF, seconds)


def main(arguments: list[str]) -> Any:
    """Run the child process."""
    module, memory, niceness = arguments
    if hasattr(os, "nice"):
        os.nice(int(niceness))
    _serve(module, int(memory), sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
