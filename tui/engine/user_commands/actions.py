"""``engine.actions``: run the user's own commands on a job, a row or some rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tui.config.actions import ActionConfig
from tui.config.settings import Config
from tui.core.query import RowFilter, RowSelection
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.text import quoted
from tui.engine.context import Context, run_in_thread
from tui.engine.user_commands.runner import ProgramResult, environment_for, run_program
from tui.errors import UsageError
from tui.processes import run_in_terminal
from tui.progress import Progress
from tui.temporary import folder_of_task

_WRITE_BYTES = 1 << 18


class PreparedAction(NamedTuple):
    """A command that is ready to be run.

    Attributes:
        name: The name of the action.
        words: The program and its arguments.
        file: What it gets: a job or a row as JSON, or rows as JSON lines.
        environment: Its environment.
    """

    name: str
    words: list[str]
    file: Path
    environment: dict[str, str]


class Actions:
    """The user's own commands.

    Args:
        context: The engine context.
        config: Has the actions.
    """

    def __init__(self, context: Context, config: Config) -> None:
        self._context = context
        self.config = config

    def get(self, name: str) -> ActionConfig:
        """An action by its name.

        Raises:
            UsageError: There is none.
        """
        try:
            return self.config.actions[name]
        except KeyError:
            names = ", ".join(self.config.actions)
            where = str(self._context.paths.config_file)
            raise UsageError(
                f"there is no action {quoted(name)}",
                f"Actions: {names}." if names else f"Add a table [actions.{name}] to {where}.",
            ) from None

    @asynccontextmanager
    async def prepared(
        self, name: str, job_id: str, rows: RowFilter | Sequence[int] | None = None
    ) -> AsyncIterator[PreparedAction]:
        """Write what an action gets to a file, which is removed at the end of the block.

        Args:
            name: The action.
            job_id: The job.
            rows: The rows, or the number of the one row, by ``where`` of the action; ``None`` for
                all rows.

        Raises:
            UsageError: There is no such action, or it needs one row.
            UnknownJobError: There is no such job or row.
            HistoryError: A row cannot be read.
        """
        action = self.get(name)
        job = self._context.history.jobs.get(job_id)
        async with folder_of_task("action") as folder:
            file = folder / ("rows.jsonl" if action.where == "rows" else f"{action.where}.json")
            custom_id = await run_in_thread(
                lambda progress: self._write(action, job_id, rows, file, progress)
            )
            values = {"file": str(file), "job": job_id, "name": job.name, "id": custom_id}
            environment = environment_for(self._context.accounts, action.env)
            environment |= {"BATCHDECK_ACTION": name, "BATCHDECK_JOB": job_id}
            yield PreparedAction(name, action.arguments(values), file, environment)

    async def run(
        self,
        name: str,
        job_id: str,
        rows: RowFilter | Sequence[int] | None = None,
        *,
        captured: bool = True,
    ) -> ProgramResult:
        """Run an action that needs no terminal, and return what it wrote.

        If the caller is cancelled, the program is stopped with all that it started.

        Args:
            name: The action.
            job_id: The job.
            rows: As for ``prepared``.
            captured: Its output is returned; otherwise it goes to standard output and error.

        Raises:
            UsageError: There is no such action, or it cannot be run.
            UnknownJobError: There is no such job or row.
            HistoryError: A row cannot be read.
        """
        action = self.get(name)
        async with self.prepared(name, job_id, rows) as ready:
            try:
                return await run_program(
                    ready.words,
                    ready.file,
                    environment=ready.environment,
                    folder=self._context.paths.data,
                    seconds=action.timeout,
                    captured=captured,
                )
            except (OSError, ValueError) as error:
                raise _cannot_run(ready, error) from error

    def run_with_terminal(self, ready: PreparedAction) -> int:
        """Run an action that has the terminal, and wait for it; returns its exit code. Blocking.

        Raises:
            UsageError: It cannot be run.
        """
        try:
            return run_in_terminal(ready.words, ready.environment)
        except (OSError, ValueError) as error:
            raise _cannot_run(ready, error) from error

    def _write(
        self,
        action: ActionConfig,
        job_id: str,
        rows: RowFilter | Sequence[int] | None,
        file: Path,
        progress: Progress,
    ) -> str:
        """Write the JSON of an action, and return the id of its row, if it gets one."""
        history = self._context.history
        if action.where == "job":
            file.write_bytes(msgspec.json.encode(history.jobs.document(job_id)) + b"\n")
            return ""
        chosen = RowFilter() if rows is None else rows
        if isinstance(chosen, RowFilter):
            chosen = history.rows.select(job_id, chosen, progress=progress).seqs
        selection = RowSelection(seqs=chosen, total=len(chosen))
        if action.where == "row":
            if len(chosen) != 1:
                raise UsageError("this action gets one row", "Name it, for example with --id.")
            (line,) = history.rows.lines(job_id, selection)
            document: dict[str, Any] = msgspec.to_builtins(line)
            request = _parsed(history.rows.get(job_id, chosen[0]).request)
            file.write_bytes(msgspec.json.encode({**document, "job": job_id, "request": request}))
            return line.custom_id
        with file.open("wb", buffering=_WRITE_BYTES) as stream:
            for number, line in enumerate(history.rows.lines(job_id, selection), 1):
                stream.write(msgspec.json.encode(line) + b"\n")
                if not number % 1000:
                    progress.update(number, len(chosen))
                    if progress.stopped:
                        break
        return ""


def _cannot_run(ready: PreparedAction, error: Exception) -> UsageError:
    """The error for a program that cannot be run."""
    why = getattr(error, "strerror", None) or str(error)
    return UsageError(
        f"the action {quoted(ready.name)} cannot run {quoted(ready.words[0])}: {why}",
        f"Check `command` of [actions.{ready.name}] in config.toml.",
    )


def _parsed(line: bytes) -> Any:
    try:
        return decode_lenient(line)
    except UnreadableLineError:
        return line.decode("utf-8", "replace")
