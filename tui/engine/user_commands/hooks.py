"""Run the user's command when a job ends, with the job document on its stdin.

The command runs without a shell, with listed environment variables only, and with a time limit.
Nothing waits for it; its output goes to the log. Only the process that watches the batch
runs it, so it runs once even if several processes share a history.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Iterable, Mapping

import msgspec

from tui.config.settings import Config
from tui.core.jobs import Job
from tui.core.text import visible
from tui.engine.context import Context
from tui.engine.events import BatchEnded, HookEnded, JobEvent
from tui.errors import UnknownJobError
from tui.processes import listed_variables

MAX_OUTPUT_BYTES = 8_000
"""Bytes of output kept for the log."""

CLOSE_SECONDS = 10.0
"""Seconds that a closing program waits for the command."""

_PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM"),
        *("TMPDIR", "TEMP", "TMP", "PWD", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
        *("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
        *("XDG_CACHE_HOME", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "WINDIR"),
        *("USERPROFILE", "APPDATA", "LOCALAPPDATA", "BATCHDECK_HOME"),
    }
)
"""Variables that a command gets, besides ``LC_*`` and those that the configuration lists."""


def passed_on(environment: Mapping[str, str], listed: Iterable[str] = ()) -> dict[str, str]:
    """The variables that a command gets: listed names only, because any may hold a secret.

    Args:
        environment: All variables.
        listed: Further names, from the configuration.
    """
    return listed_variables(environment, _PASSED | set(listed), ("LC_",))


class Hooks:
    """Runs the configured command; subscribed to the engine's events.

    Args:
        context: The engine context.
        config: Holds the command and the names of key variables.
    """

    def __init__(self, context: Context, config: Config) -> None:
        self._context = context
        self.config = config
        self._ran: set[tuple[str, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, event: JobEvent) -> None:
        """Start the command if this event ends a job."""
        if not isinstance(event, BatchEnded) or not self.config.hooks.on_job_end.strip():
            return
        history = self._context.history
        try:
            job, batches = history.jobs.get(event.job_id), history.batches.of_job(event.job_id)
        except UnknownJobError:
            return
        key = (job.id, len(batches))
        if any(batch.is_active for batch in batches) or key in self._ran:
            return
        self._ran.add(key)
        document = msgspec.json.encode(history.jobs.document(job.id)) + b"\n"
        task = asyncio.get_running_loop().create_task(self._run(job, document))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait up to ``seconds`` for running commands, then stop them."""
        if not self._tasks:
            return
        tasks = list(self._tasks)
        await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job, document: bytes) -> None:
        hooks = self.config.hooks
        try:
            argv = shlex.split(hooks.on_job_end)
            environment = passed_on(os.environ, hooks.env)
            environment |= {"BATCHDECK_EVENT": "job_end", "BATCHDECK_JOB": job.id}
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
                cwd=self._context.paths.data,
                # Its own process group: its children stop with it, and ctrl+c does not reach it.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._report(job, f"could not be run: {error}", good=False)
            return
        try:
            async with asyncio.timeout(hooks.timeout):
                output = (await _communicate(process, document)).strip()
                code = await process.wait()
        except TimeoutError:
            self._report(job, f"timed out after {hooks.timeout:g} s and was stopped", good=False)
        else:
            suffix = f": {visible(output)}" if output else ""
            self._report(job, f"exited with code {code}{suffix}", good=code == 0)
        finally:
            _stop(process)
            await process.wait()

    def _report(self, job: Job, what: str, *, good: bool) -> None:
        log = self._context.log
        (log.info if good else log.warning)("the hook of job %s %s", job.id, what)
        self._context.publish(HookEnded(job.id, what, good))


async def _communicate(process: asyncio.subprocess.Process, document: bytes) -> str:
    """Write the document to a command and read its output; the first bytes are kept."""
    assert process.stdin is not None and process.stdout is not None
    kept = bytearray()

    async def read() -> None:
        assert process.stdout is not None
        while chunk := await process.stdout.read(65536):
            kept.extend(chunk[: max(0, MAX_OUTPUT_BYTES - len(kept))])

    reading = asyncio.create_task(read())
    try:
        # A command may ignore its input.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(document)
            await process.stdin.drain()
            process.stdin.close()
        await reading
    finally:
        reading.cancel()
    return kept.decode("utf-8", "replace")


def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
