"""The verbs from a table or a text to a job: compose, preview, check, mend, split, import."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Unpack

from tui.core.jobs import Job
from tui.engine.events import EventBus, JobImported
from tui.engine.importer import JobWishes, import_job, import_sample, limits_of, wished
from tui.engine.making import Making, Ready
from tui.engine.reckoning import Reckoning
from tui.engine.threads import Progress, Stop, stoppable
from tui.errors import InputError
from tui.paths import Paths, private_folder

if TYPE_CHECKING:
    from tui.compose.build import BuildReport
    from tui.compose.fixes import Fixes, FixReport
    from tui.compose.report import CheckReport
    from tui.compose.sources.source import Source
    from tui.compose.split import PartFile
    from tui.compose.template import Template
    from tui.engine.sketch import Sketch

BytesProgress = Callable[[int, int], None]
"""Told, from another thread, the bytes done and the bytes in all."""

_COMPOSED = "composed"


class Composing(Reckoning):
    """What the engine can do with requests that are not sent yet."""

    paths: Paths
    events: EventBus

    async def open_source(
        self,
        spec: str,
        *,
        trusted: bool = False,
        delimiter: str | None = None,
        encoding: str | None = None,
        header: bool | None = None,
        stdin: BinaryIO | None = None,
    ) -> Source:
        """Open a table, a text, a database or a program; see ``tui.compose.sources``.

        Args:
            spec: What the person wrote.
            trusted: A person said that this Python file may be run.
            delimiter: Of a table, where it is not to be found out.
            encoding: Of a table or a text.
            header: Does the first row name the columns?
            stdin: What ``-`` reads.

        Raises:
            InputError: It cannot be opened.
        """
        from tui.compose.sources import open_source

        return await asyncio.to_thread(
            open_source,
            spec,
            trusted=trusted,
            delimiter=delimiter,
            encoding=encoding,
            header=header,
            stdin=stdin,
        )

    async def compose(
        self,
        source: str | Source,
        template: str | Template | None,
        out: Path | None = None,
        *,
        limit: int | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
        **making: Unpack[Making],
    ) -> BuildReport:
        """Write the requests of a source into a file; ``report.path`` names it.

        Args:
            source: An open one, or what the person wrote.
            template: The template, or what names it; ``None`` for ready-made requests.
            out: The file; else one of the program's own, which the next composing of a
                source with the same name replaces.
            limit: Only so many rows.
            stop: Asked now and then; true ends it, and no file is written.
            progress: Called, from another thread, with rows done and in all.
            making: See ``Making``.

        Raises:
            InputError: A row (it is named), the source or the template cannot be used.
            UsageError: The template lacks something.
        """
        from tui.compose.build import build

        ready = await self._ready(source, template, making)
        target = out or self.own_file(Path(ready.source.name.partition("::")[0]).stem)
        return await stoppable(
            lambda asked: build(
                ready.source,
                ready.template,
                target,
                model=ready.model,
                settings=ready.settings,
                limit=limit,
                stop=asked,
                progress=progress,
            ),
            stop,
        )

    async def preview(
        self,
        source: str | Source,
        template: str | Template | None,
        *,
        account: str | None = None,
        seed: int | None = None,
        stop: Stop | None = None,
        **making: Unpack[Making],
    ) -> Sketch:
        """Three rendered rows, and tokens and cost as far as the first rows tell.

        A cancel of the caller ends the work in its thread too. Arguments are those of
        ``compose``; ``account`` is where the prices come from, ``seed`` chooses the random row.

        Raises:
            InputError: The source, the template or one of the three rows cannot be used.
            UsageError: The template lacks something.
        """
        from tui.engine.sketch import sketch

        ready = await self._ready(source, template, making)
        name = self._named(account)
        return await stoppable(
            lambda asked: sketch(
                ready.source,
                ready.template,
                lambda lines: self._estimator.lines(lines, name),
                model=ready.model,
                settings=ready.settings,
                seed=seed,
                stop=asked,
            ),
            stop,
        )

    async def check(
        self,
        path: Path,
        *,
        account: str | None = None,
        stop: Stop | None = None,
        progress: BytesProgress | None = None,
    ) -> CheckReport:
        """Check a file of requests against the limits of an account.

        Raises:
            InputError: The file cannot be read at all.
        """
        from tui.compose.check import check_file

        limits = limits_of(self._context.accounts.profile(self._named(account)))
        return await asyncio.to_thread(
            check_file, path, limits=limits, stop=stop, progress=progress
        )

    async def fix_file(
        self, path: Path, out: Path, fixes: Fixes, *, stop: Stop | None = None
    ) -> FixReport:
        """Write a mended copy of a file of requests.

        Raises:
            InputError: A line is no JSON object, or a file cannot be read or written.
            UsageError: The fixes contradict each other.
        """
        from tui.compose.fixes import apply_fixes

        return await stoppable(lambda asked: apply_fixes(path, out, fixes, stop=asked), stop)

    async def line_of(self, path: Path, number: int) -> bytes:
        """One line of a file of requests, counted from 1.

        Raises:
            InputError: The file cannot be read, or has fewer lines.
        """
        from tui.compose.single import line_at

        return await stoppable(lambda asked: line_at(path, number, stop=asked))

    async def put_line(
        self, path: Path | None, out: Path, line: bytes, number: int | None = None
    ) -> int:
        """Write a copy of a file with one line replaced, or with one more; see ``put_line``.

        Raises:
            InputError: A file cannot be read or written, or has fewer lines.
        """
        from tui.compose.single import put_line

        return await stoppable(lambda asked: put_line(path, out, line, number, stop=asked))

    def own_file(self, name: str, ending: str = ".jsonl") -> Path:
        """Where the program keeps requests that it wrote itself, under a name."""
        from tui.compose.saved import file_name

        folder = private_folder(self.paths.data / _COMPOSED)
        return folder / f"{file_name(name) or 'requests'}{ending}"

    async def split_file(
        self,
        path: Path,
        folder: Path,
        *,
        account: str | None = None,
        rows: int | None = None,
        size: int | None = None,
        stop: Stop | None = None,
    ) -> list[PartFile]:
        """Cut a file into parts that the provider takes, or of so many rows and bytes.

        Raises:
            InputError: A file cannot be read or written, or one row is too large.
        """
        from tui.compose.split import split_file

        limits = limits_of(self._context.accounts.profile(self._named(account)))
        most_rows = limits.rows if rows is None else rows
        most_bytes = limits.bytes if size is None else size
        return await stoppable(
            lambda asked: split_file(path, folder, rows=most_rows, size=most_bytes, stop=asked),
            stop,
        )

    async def import_file(
        self,
        path: Path,
        *,
        account: str | None = None,
        stop: Stop | None = None,
        progress: BytesProgress | None = None,
        **wishes: Unpack[JobWishes],
    ) -> Job:
        """Make a job of a file; nothing is sent.

        Args:
            path: The file.
            account: The account that will send it; else the default one.
            stop: Asked now and then; ``True`` ends it.
            progress: Called, from another thread, with bytes done and bytes in all.
            wishes: The attributes of ``Wishes``.

        Raises:
            InputError: The file may not be submitted.
        """
        how = wished(wishes)
        chosen = self._named(account)

        def work() -> Job:
            job = import_job(self._context, path, chosen, how, stop=stop, progress=progress)
            return self._with_estimate(job)

        job = await asyncio.to_thread(work)
        self.events.publish(JobImported(job.id))
        return job

    async def import_sample(
        self,
        path: Path,
        rows: int,
        *,
        account: str | None = None,
        stop: Stop | None = None,
        progress: BytesProgress | None = None,
        **wishes: Unpack[JobWishes],
    ) -> tuple[Job, Job]:
        """Make two jobs of a file: ``rows`` of it, evenly spread, and the rest; nothing is sent.

        The small one is called NAME-sample. The other arguments are those of ``import_file``.

        Raises:
            InputError: The file may not be submitted.
            UsageError: The file has no more rows than the sample.
        """
        how = wished(wishes)
        chosen = self._named(account)

        def work() -> tuple[Job, Job]:
            sample, rest = import_sample(
                self._context, path, chosen, how, rows, stop=stop, progress=progress
            )
            return self._with_estimate(sample), self._with_estimate(rest)

        jobs = await asyncio.to_thread(work)
        for job in jobs:
            self.events.publish(JobImported(job.id))
        return jobs

    async def _ready(
        self, source: str | Source, template: str | Template | None, making: Making
    ) -> Ready:
        """Open the source, find the template, and see what is left for ready-made requests."""
        if isinstance(source, str):
            source = await self.open_source(source, trusted=making.get("trusted", False))
        chosen = await self._template(template, making)
        if chosen is not None:
            return Ready(source, chosen)
        return Ready(source, None, making.get("model"), making.get("settings"))

    async def _template(self, template: str | Template | None, making: Making) -> Template | None:
        from tui.compose.saved import find_template
        from tui.compose.template import adjusted

        if isinstance(template, str):
            template = await asyncio.to_thread(find_template, template, self.paths.templates)
        if template is not None:
            return adjusted(
                template,
                model=making.get("model"),
                id=making.get("custom_id"),
                settings=making.get("settings"),
            )
        if making.get("custom_id"):
            raise InputError("ready-made requests keep their ids", "Leave the id out.")
        return None
