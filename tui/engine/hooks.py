"""The person's own command at the end of a job, with the job document on its stdin.

It is run without a shell and without keys in its environment, for a limited time, and
nothing waits for it; what it writes goes to the log. Whoever watches the batch runs it, so
of several programs on one history one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
from collections.abc import Mapping

import msgspec

from tui.config import Config
from tui.core.jobs import Job
from tui.core.text import visible
from tui.engine.context import Context
from tui.engine.events import BatchEnded, HookEnded, JobEvent
from tui.errors import UnknownJobError

OUTPUT = 8_000
"""Bytes of the output that are kept for the log."""

GRACE = 10.0
"""Seconds for which a program that ends waits for the command."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)


def key_free(environment: Mapping[str, str], named: frozenset[str] = frozenset()) -> dict[str, str]:
    """The environment without what may be a secret.

    Args:
        environment: All variables.
        named: Those that the configuration names as holding keys.
    """
    return {
        name: value
        for name, value in environment.items()
        if name not in named and not _SECRET.search(name)
    }


class Hooks:
    """Runs the command of the configuration; subscribed to the engine's events.

    Args:
        context: The engine's surroundings.
        config: Names the command, and the variables that hold keys.
    """

    def __init__(self, context: Context, config: Config) -> None:
        self._context = context
        self.config = config
        self._ran: set[tuple[str, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, event: JobEvent) -> None:
        """See whether a job has ended."""
        if not isinstance(event, BatchEnded) or not self.config.hooks.on_job_end.strip():
            return
        history = self._context.history
        try:
            job, batches = history.job(event.job_id), history.batches(event.job_id)
        except UnknownJobError:
            return
        key = (job.id, len(batches))
        if any(batch.is_under_way for batch in batches) or key in self._ran:
            return
        self._ran.add(key)
        document = msgspec.json.encode(history.document(job.id)) + b"\n"
        task = asyncio.get_running_loop().create_task(self._run(job, document))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, seconds: float = GRACE) -> None:
        """Wait a little for commands that run, then end them."""
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
            words = shlex.split(hooks.on_job_end)
            environment = key_free(os.environ, self._key_variables())
            environment |= {"BATCHDECK_EVENT": "job_end", "BATCHDECK_JOB": job.id}
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
                cwd=self._context.paths.data,
                # A group of its own: what it starts is stopped with it, and ctrl+c is not its.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._tell(job, f"cannot be run: {error}", good=False)
            return
        try:
            async with asyncio.timeout(hooks.timeout):
                said = await _feed(process, document)
                code = await process.wait()
        except TimeoutError:
            self._tell(job, f"took more than {hooks.timeout:g} s and was stopped", good=False)
        else:
            words_said = f": {visible(said.strip())}" if said.strip() else ""
            self._tell(job, f"ended with code {code}{words_said}", good=code == 0)
        finally:
            _stop(process)
            await process.wait()

    def _key_variables(self) -> frozenset[str]:
        accounts = self.config.accounts.values()
        return frozenset(account.key_env for account in accounts if account.key_env)

    def _tell(self, job: Job, what: str, *, good: bool) -> None:
        log = self._context.log
        (log.info if good else log.warning)("the hook of job %s %s", job.id, what)
        self._context.publish(HookEnded(job.id, what, good))


async def _feed(process: asyncio.subprocess.Process, document: bytes) -> str:
    """Write to a command and read all that it says; the beginning is kept."""
    assert process.stdin is not None and process.stdout is not None
    kept = bytearray()

    async def read() -> None:
        assert process.stdout is not None
        while chunk := await process.stdout.read(65536):
            kept.extend(chunk[: max(0, OUTPUT - len(kept))])

    reading = asyncio.create_task(read())
    try:
        # A command that does not read its input is no mistake.
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
