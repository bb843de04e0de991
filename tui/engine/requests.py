"""``engine.requests``: from what the user has to a checked file of requests, and to a draft job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

from tui.addresses import is_address, name_at
from tui.compose.build import BuildReport, build, find_columns_file
from tui.compose.checks.fixes import Fixes, FixReport, apply_fixes, read_line_at, write_line
from tui.compose.checks.repeats import with_repeats
from tui.compose.checks.scan import Scan, scan_file
from tui.compose.checks.split import PartFile, split_file
from tui.compose.estimate import Estimate
from tui.compose.preview import ComposePreview, Previewer
from tui.compose.requests.report import CheckReport
from tui.compose.sources.base import OpenOptions, Source
from tui.compose.templates.model import Template, with_overrides
from tui.compose.templates.saved import find_template, template_file_name, template_of
from tui.core.analysis.columns import Column, ColumnKind
from tui.core.jobs import Job, SamplePart, is_job_source
from tui.core.query import RowSelection
from tui.core.send_plans import ReuseOptions
from tui.engine.analysis.job_source import open_job_spec, open_rows
from tui.engine.context import Context, run_in_thread
from tui.engine.costs.estimates import Costs
from tui.engine.costs.forecast import Forecast
from tui.engine.events import JobImported
from tui.engine.import_job import FileImport, ImportOptions
from tui.engine.submit_facts import (
    SAMPLE_ROWS,
    Ask,
    CheckedFile,
    SubmitAnswer,
    SubmitFacts,
    require_no_dearer,
    submit_facts,
    without_reused,
)
from tui.engine.transfers.fetch import FetchedFile, fetch
from tui.errors import InputError, UsageError
from tui.paths import private_folder, split_part
from tui.progress import NO_PROGRESS, Progress


class ComposeOptions(TypedDict, total=False):
    """Options for building requests from a source and a template.

    Attributes:
        model: Overrides the model of the template, or of ready-made requests.
        custom_id: Overrides the template's ``id``.
        settings: More fields of the body, by dotted path.
        trusted: The user allowed this Python file to run.
    """

    model: str | None
    custom_id: str | None
    settings: Mapping[str, Any] | None
    trusted: bool


class Recipe(NamedTuple):
    """How a job was composed: its template, and its table (empty if it cannot be opened again)."""

    template: Template
    table: str


class _ComposeInput(NamedTuple):
    """An open source and its template; without one, ``model`` and ``settings`` apply."""

    source: Source
    template: Template | None
    model: str | None = None
    settings: Mapping[str, Any] | None = None


class Requests:
    """Opens sources; composes, previews, checks, fixes, splits and imports request files.

    Args:
        context: The engine context.
        costs: Estimates the cost of previews and of imported jobs.
    """

    def __init__(self, context: Context, costs: Costs) -> None:
        self._context = context
        self._costs = costs

    async def open_source(
        self,
        spec: str,
        *,
        where: str = "",
        fresh: bool = True,
        progress: Progress = NO_PROGRESS,
        **options: Unpack[OpenOptions],
    ) -> Source:
        """Open a table, text, database, Python file or job; see ``tui.compose.sources``.

        ``job:NAME`` are the rows of a job that have an answer, ``job:NAME::QUERY`` those that
        match a query; see ``tui.engine.analysis.job_source``. The file at an address is fetched
        first; see ``fetch``.

        Args:
            spec: The path, address or other source, as the user typed it.
            where: A query that the rows of a job must match.
            fresh: Ask the server whether a file that was fetched before has changed.
            progress: Counts the bytes of a fetch; stops it, or the search for the rows of a job.
            options: See ``OpenOptions``.

        Raises:
            BatchdeckError: The file at an address cannot be fetched.
            InputError: The source cannot be opened.
            UnknownJobError: There is no such job.
            UsageError: The query is not valid, or the source is no job and has no query.
        """
        if is_job_source(spec):
            return await run_in_thread(
                lambda running: open_job_spec(self._context.history, spec, where, running), progress
            )
        if where.strip():
            raise UsageError("only the rows of a job have a query", "Use job:NAME as the source.")
        # Loading the readers of all kinds of sources takes a while.
        from tui.compose.sources.open import open_source

        if not is_address(spec):
            return await run_in_thread(lambda _: open_source(spec, **options))
        file = await fetch(self._context, spec, fresh=fresh, progress=progress)
        most = self._context.fetch_bytes
        source = await run_in_thread(lambda _: open_source(file.spec, most_bytes=most, **options))
        return replace(source, name=file.address.shown, base=Path(), fetched=file.note)

    async def fetch(self, address: str, *, progress: Progress = NO_PROGRESS) -> FetchedFile:
        """Fetch the file at an address, such as one of requests; its ``path`` can be checked.

        One that was fetched before and has not changed is not fetched again; one that broke off
        goes on where it stopped.

        Args:
            address: ``https://…``, ``hf://datasets/…``, ``s3://…`` or ``gs://…``.
            progress: Counts the bytes; stops the fetch.

        Raises:
            InputError: The address or the file cannot be used, or the file is too large.
            BatchdeckError: The server cannot be reached, or has failed.
        """
        return await fetch(self._context, address, progress=progress)

    async def open_rows(self, job_id: str, selection: RowSelection, where: str = "") -> Source:
        """Open selected rows of a job as a source.

        Args:
            job_id: The job.
            selection: The rows.
            where: The query that selected them, or words for it.

        Raises:
            UnknownJobError: There is no such job.
            InputError: There are no rows.
        """
        history = self._context.history
        return await run_in_thread(
            lambda _: open_rows(history, history.jobs.get(job_id), selection, where=where)
        )

    async def recipe(self, job_id: str) -> Recipe:
        """How a job was composed, to compose another table in the same way.

        Raises:
            UsageError: It was not composed with a template, or by an older version.
        """

        def work() -> Recipe:
            job = self._context.history.jobs.get(job_id)
            with self._context.history.rows.inputs(job_id) as inputs:
                table, values = inputs.table, inputs.template
            if values is None:
                raise UsageError(
                    f"{job.name!r} was not composed with a template, or by an older version",
                    "Compose the new table, and submit it with --reuse.",
                )
            return Recipe(template_of(values, job.name), table)

        return await asyncio.to_thread(work)

    async def compose(
        self,
        source: str | Source,
        template: str | Template | None,
        out: Path | None = None,
        *,
        limit: int | None = None,
        progress: Progress = NO_PROGRESS,
        **options: Unpack[ComposeOptions],
    ) -> BuildReport:
        """Write the requests of a source to a file; ``report.path`` is its path.

        Args:
            source: An open source, or what the user typed.
            template: The template, or its name or path; ``None`` for ready-made requests.
            out: The file to write; by default a file in the data folder, which is replaced
                when a source with the same name is composed again.
            limit: The maximum number of rows.
            progress: Counts the rows; if it is stopped, no file is written.
            options: See ``ComposeOptions``.

        Raises:
            InputError: The source, the template or a row is invalid; the error names the row.
            UsageError: The template is incomplete.
        """
        chosen = await self._inputs(source, template, options)
        name = chosen.source.name
        named = name_at(name) if is_address(name) else split_part(name)[0]
        target = out or self.composed_path(Path(named).stem)
        return await run_in_thread(
            lambda running: build(
                chosen.source,
                chosen.template,
                target,
                model=chosen.model,
                settings=chosen.settings,
                limit=limit,
                progress=running,
            ),
            progress,
        )

    async def preview(
        self,
        source: str | Source,
        template: str | Template | None,
        *,
        account: str | None = None,
        seed: int | None = None,
        whole: bool = False,
        progress: Progress = NO_PROGRESS,
        **options: Unpack[ComposeOptions],
    ) -> ComposePreview:
        """Preview three rendered rows, with tokens and cost estimated from a sample of all rows.

        The arguments are those of ``compose``; ``account`` sets the prices, ``seed`` the
        choice of the random row, and ``whole`` reads all rows for the figures.

        Raises:
            InputError: The source, the template or a shown row is invalid.
            UsageError: The template is incomplete.
        """
        chosen = await self._inputs(source, template, options)
        name = account or self._context.accounts.default
        previewer = Previewer(chosen.source, seed=seed)

        def work(running: Progress) -> ComposePreview:
            previewer.load(running, whole=whole)
            return previewer.update(
                chosen.template,
                lambda lines: self._costs.price_lines(lines, name),
                model=chosen.model,
                settings=chosen.settings,
                progress=running,
            )

        return await run_in_thread(work, progress)

    async def read_whole(self, previewer: Previewer, progress: Progress = NO_PROGRESS) -> None:
        """Read the source of a previewer to its end, so that its figures are of all rows.

        Raises:
            InputError: The source cannot be read, or the work was stopped.
        """
        await run_in_thread(lambda running: previewer.load(running, whole=True), progress)

    async def update_preview(
        self,
        previewer: Previewer,
        template: Callable[[], Template],
        *,
        account: str | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> ComposePreview:
        """Preview a template with cached rows, quick enough to call while the user types.

        Args:
            previewer: The cached rows; they are read from the source on the first call.
            template: Returns the template; called in the thread because it may read files.
            account: The account for prices; by default the default account.
            progress: Stops the work.

        Raises:
            InputError: The source or a shown row is invalid, or the work was stopped.
            UsageError: The template is incomplete.
        """
        name = account or self._context.accounts.default

        def work(running: Progress) -> ComposePreview:
            # The rows are read even while the template is incomplete.
            previewer.load(running)
            return previewer.update(
                template(), lambda lines: self._costs.price_lines(lines, name), progress=running
            )

        return await run_in_thread(work, progress)

    async def check(
        self, path: Path, *, account: str | None = None, progress: Progress = NO_PROGRESS
    ) -> CheckReport:
        """Check a requests file against the limits of an account; counts bytes.

        Raises:
            InputError: The file cannot be read.
        """
        return (await self.scan(path, account=account, progress=progress)).report

    async def scan(
        self, path: Path, *, account: str | None = None, progress: Progress = NO_PROGRESS
    ) -> Scan:
        """Read a requests file: its check, and what decides its cost (see ``costs``).

        It is read a second time for the rows that repeat another one.

        Raises:
            InputError: The file cannot be read.
        """
        limits = self._context.accounts.limits(account)

        def work(running: Progress) -> Scan:
            scan = scan_file(path, limits=limits, progress=running)
            return with_repeats(scan, path, running)

        return await run_in_thread(work, progress)

    async def forecast(
        self, report: CheckReport, *, account: str | None = None, window: str | None = None
    ) -> Forecast | None:
        """How long earlier batches took with the account and the model of a checked file.

        Returns:
            The forecast; ``None`` if fewer than three batches say anything about it.
        """
        info = self._context.accounts.info(account or self._context.accounts.default)
        chosen = "" if info.direct else window or next(iter(info.windows), "24h")
        model = max(report.models, key=lambda name: report.models[name], default="")
        return await self._costs.forecast(info.name, model, chosen)

    async def input_columns(self, path: Path) -> list[str]:
        """The input columns of a requests file, as ``in.lang``; empty if it was changed since."""
        found = await asyncio.to_thread(find_columns_file, path)
        if found is None or not found.fits:
            return []
        return [str(Column(ColumnKind.INPUT, name)) for name in found.head.columns]

    async def fix_file(
        self, path: Path, out: Path, fixes: Fixes, *, progress: Progress = NO_PROGRESS
    ) -> FixReport:
        """Write a fixed copy of a requests file.

        Raises:
            InputError: A line is not a JSON object, or a file cannot be read or written.
            UsageError: The fixes contradict each other.
        """
        return await run_in_thread(
            lambda running: apply_fixes(path, out, fixes, progress=running), progress
        )

    async def read_line(self, path: Path, number: int) -> bytes:
        """Read one line of a requests file, counted from 1.

        Raises:
            InputError: The file cannot be read, or has fewer lines.
        """
        return await run_in_thread(lambda running: read_line_at(path, number, progress=running))

    async def write_line(
        self, path: Path | None, out: Path, line: bytes, number: int | None = None
    ) -> int:
        """Write a copy of a file with one line replaced or appended; see ``write_line``.

        Raises:
            InputError: A file cannot be read or written, or has fewer lines.
        """
        return await run_in_thread(
            lambda running: write_line(path, out, line, number, progress=running)
        )

    def composed_path(self, name: str, ending: str = ".jsonl") -> Path:
        """The path for composed requests of this name, in the data folder."""
        folder = private_folder(self._context.paths.data / "composed")
        return folder / f"{template_file_name(name) or 'requests'}{ending}"

    async def split_file(
        self,
        path: Path,
        folder: Path,
        *,
        account: str | None = None,
        rows: int | None = None,
        size: int | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> list[PartFile]:
        """Split a file into parts within the provider's limits, or the given ones.

        Args:
            path: The file.
            folder: The folder for the parts.
            account: The account whose limits apply; by default the default account.
            rows: The maximum number of rows per part.
            size: The maximum number of bytes per part.
            progress: Stops the work.

        Raises:
            InputError: A file cannot be read or written, or a row is too large.
        """
        limits = self._context.accounts.limits(account)
        max_rows = limits.rows if rows is None else rows
        max_bytes = limits.bytes if size is None else size
        return await run_in_thread(
            lambda running: split_file(
                path, folder, rows=max_rows, size=max_bytes, progress=running
            ),
            progress,
        )

    async def import_file(
        self,
        path: Path,
        *,
        account: str | None = None,
        progress: Progress = NO_PROGRESS,
        **options: Unpack[ImportOptions],
    ) -> Job:
        """Import a file as a job; nothing is sent.

        Args:
            path: The file.
            account: The account that will send it; by default the default account.
            progress: Counts the bytes.
            options: See ``ImportOptions``.

        Raises:
            InputError: The file has errors.
            UsageError: The import was stopped, or an edit cannot be applied.
        """
        name = account or self._context.accounts.default

        def work(running: Progress) -> Job:
            file = FileImport(self._context, path, name, **options)
            return self._costs.keep(file.store(file.check(running).report, running))

        job = await run_in_thread(work, progress)
        self._context.publish(JobImported(job.id))
        return job

    async def import_to_submit(
        self,
        path: Path,
        account: str | None = None,
        *,
        ask: Ask | None = None,
        sample: int | None = None,
        seed: int = 0,
        by: str = "",
        budget: float | None = None,
        checked: CheckedFile | None = None,
        reuse: ReuseOptions | None = None,
        progress: Progress = NO_PROGRESS,
        **options: Unpack[ImportOptions],
    ) -> list[Job]:
        """Check a file, ask the user, and import it; ``engine.submit_imported`` sends it.

        Args:
            path: The file.
            account: The account that will send it; by default the default account.
            ask: Asked before the import; by default the answer is the whole file, or the sample
                if ``sample`` is given.
            sample: The rows of a random sample to submit first; the rest becomes a draft.
            seed: The seed of the sample; the same seed chooses the same rows.
            by: An input column, such as ``in.lang``, whose values have equal shares of the sample.
            budget: A cost limit for the question, in addition to the configured budgets.
            checked: The result of an earlier check, to ask without reading the file again.
            reuse: The answers of earlier jobs that will be used; the question is about the rest.
            progress: Counts the bytes of the check; stops the work.
            options: See ``ImportOptions``.

        Returns:
            The job, and after a sample the draft of the other rows; empty if the user's answer
            was no.

        Raises:
            InputError: The file has errors.
            UsageError: The file has no more rows than the sample, no such column, or was changed or
                became dearer while the user was asked; or the work was stopped.
        """
        costs, name = self._costs, account or self._context.accounts.default

        def price(file: FileImport, scan: Scan, running: Progress) -> Estimate:
            if not file.edits:
                return costs.price(scan.costs, name, file.window)
            window, edits = file.window, file.edits
            return costs.price_file(path, name, window=window, edits=edits, progress=running)

        def prepare(running: Progress) -> tuple[FileImport, CheckReport, CheckedFile | None]:
            file = FileImport(self._context, path, name, **options)
            if checked is not None and file.has_size_of(checked.report):
                return file, checked.report, checked
            scan = file.check(running)
            if ask is None and file.info.is_free:
                return file, scan.report, None
            if ask is not None:
                scan = with_repeats(scan, path, running)
            estimate = price(file, scan, running)
            repeated = costs.price_repeats(scan, path, name, file.window, file.edits)
            return file, scan.report, CheckedFile(scan.report, estimate, repeated)

        file, report, priced = await run_in_thread(prepare, progress)
        answer: SubmitAnswer = "yes" if sample is None else "sample"
        rows = sample or SAMPLE_ROWS
        part = SamplePart(rows=rows, of=report.rows, seed=seed, by=by)
        if ask is not None and priced is not None:
            known_price, reused = priced, ""
            if reuse is not None:
                work = partial(without_reused, self._context, costs, file, report, reuse)
                known_price, reused = await run_in_thread(work, progress)
            facts = await run_in_thread(
                lambda _: submit_facts(costs, file, known_price, part, budget)
            )
            answer = await ask(replace(facts, reused=reused))
            if answer == "no":
                return []

        def store(running: Progress) -> list[Job]:
            current, known = report, None if priced is None else priced.estimate
            if checked is not None:
                # An earlier check does not say what the file holds now.
                scan = file.check_again(report, running)
                current = scan.report
                known = price(file, scan, running)
                require_no_dearer(path, checked.estimate, known)
            if answer == "sample":
                parts = file.store_sample(current, rows, running, seed=seed, by=by)
                return [costs.keep(job) for job in parts]
            return [costs.keep(file.store(current, running), known)]

        jobs = await run_in_thread(store, progress)
        for job in jobs:
            self._context.publish(JobImported(job.id))
        return jobs

    async def price_reuse(
        self,
        path: Path,
        report: CheckReport,
        account: str,
        reuse: ReuseOptions,
        *,
        progress: Progress = NO_PROGRESS,
        **options: Unpack[ImportOptions],
    ) -> SubmitFacts:
        """What a submit of a checked file would send if it reuses answers of earlier jobs.

        Args:
            path: The file.
            report: The result of its check.
            account: The account that will send it.
            reuse: Which answers may be used.
            progress: Told how many jobs are added to the index; stops that.
            options: See ``ImportOptions``.
        """

        def work(running: Progress) -> SubmitFacts:
            file = FileImport(self._context, path, account, **options)
            costs = self._costs
            checked, reused = without_reused(self._context, costs, file, report, reuse, running)
            part = SamplePart(rows=SAMPLE_ROWS, of=report.rows, seed=0)
            return replace(submit_facts(costs, file, checked, part, None), reused=reused)

        return await run_in_thread(work, progress)

    async def _inputs(
        self, source: str | Source, template: str | Template | None, options: ComposeOptions
    ) -> _ComposeInput:
        """Open the source and find the template; apply the options."""
        if isinstance(source, str):
            source = await self.open_source(source, trusted=options.get("trusted", False))
        if isinstance(template, str):
            folder = self._context.paths.templates
            template = await asyncio.to_thread(find_template, template, folder)
        model, settings = options.get("model"), options.get("settings")
        custom_id = options.get("custom_id")
        if template is not None:
            chosen = with_overrides(template, model=model, id=custom_id, settings=settings)
            return _ComposeInput(source, chosen)
        if custom_id:
            raise InputError(
                "the ids of ready-made requests cannot be changed", "Leave out the id."
            )
        return _ComposeInput(source, None, model, settings)
