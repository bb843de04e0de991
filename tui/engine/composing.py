"""The verbs before a submit: compose, preview, estimate, keep to a budget, try a row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tui.engine.budgeting import Budgets
from tui.engine.context import Context
from tui.engine.estimator import Estimator
from tui.engine.importer import limits_of
from tui.engine.threads import Progress, Stop, stoppable
from tui.engine.trying import Trial, request_at, try_request
from tui.errors import InputError
from tui.paths import Paths, private_folder

if TYPE_CHECKING:
    from tui.compose.build import BuildReport
    from tui.compose.estimate import Estimate
    from tui.compose.fixes import Fixes, FixReport
    from tui.compose.sources.source import Source
    from tui.compose.split import PartFile
    from tui.compose.template import Template
    from tui.engine.retrier import RetryPlan
    from tui.engine.sketch import Sketch
    from tui.store.costs import Spending

_COMPOSED = "composed"


class Composing:
    """What the engine can do with requests that are not a job yet."""

    paths: Paths
    _context: Context
    _estimator: Estimator
    _budgets: Budgets

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
        model: str | None = None,
        custom_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
        limit: int | None = None,
        trusted: bool = False,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> BuildReport:
        """Write the requests of a source into a file; ``report.path`` names it.

        Args:
            source: An open one, or what the person wrote.
            template: The template, or what names it; ``None`` for ready-made requests.
            out: The file; else one of the program's own, which the next composing of a
                source with the same name replaces.
            model: In place of the template's, or of the requests' own.
            custom_id: In place of the template's ``id``.
            settings: Further fields of the body, by dotted path.
            limit: Only so many rows.
            trusted: A person said that this Python file may be run.
            stop: Asked now and then; true ends it, and no file is written.
            progress: Called, from another thread, with rows done and in all.

        Raises:
            InputError: A row (it is named), the source or the template cannot be used.
            UsageError: The template lacks something.
        """
        from tui.compose.build import build

        opened = await self._opened(source, trusted)
        chosen = await self._template(template, model, custom_id, settings)
        target = out or self._own_file(opened)
        return await stoppable(
            lambda asked: build(
                opened,
                chosen,
                target,
                model=None if chosen else model,
                settings=None if chosen else settings,
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
        model: str | None = None,
        custom_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
        trusted: bool = False,
        seed: int | None = None,
        stop: Stop | None = None,
    ) -> Sketch:
        """Three rendered rows, and tokens and cost as far as the first rows tell.

        A cancel of the caller ends the work in its thread too. Arguments are those of
        ``compose``; ``account`` is where the prices come from, ``seed`` chooses the random row.

        Raises:
            InputError: The source, the template or one of the three rows cannot be used.
            UsageError: The template lacks something.
        """
        from tui.engine.sketch import sketch

        opened = await self._opened(source, trusted)
        chosen = await self._template(template, model, custom_id, settings)
        name = account or self._context.accounts.default
        return await stoppable(
            lambda asked: sketch(
                opened,
                chosen,
                lambda lines: self._estimator.lines(lines, name),
                model=None if chosen else model,
                settings=None if chosen else settings,
                seed=seed,
                stop=asked,
            ),
            stop,
        )

    async def estimate(
        self,
        what: Path | str | RetryPlan,
        account: str | None = None,
        *,
        window: str | None = None,
        edits: Mapping[str, Any] | None = None,
        stop: Stop | None = None,
    ) -> Estimate:
        """What a file (a Path), a job (its id) or a retry may cost.

        Args:
            what: What is to be sent.
            account: Of a file; else the default one.
            window: Of a file; else the provider's first one.
            edits: Of a file: the changes that it is sent with.
            stop: Asked now and then; true ends it.

        Raises:
            InputError: The file cannot be read, or it was stopped.
        """

        def work(asked: Stop) -> Estimate:
            if isinstance(what, Path):
                name = account or self._context.accounts.default
                return self._estimator.file(what, name, window=window, edits=edits, stop=asked)
            if isinstance(what, str):
                return self._estimator.job(self._context.history.job(what), stop=asked)
            return self._estimator.retry(what)

        return await stoppable(work, stop)

    def has_budget(self, account: str | None = None, budget: float | None = None) -> bool:
        """Is there a budget that a submit with this account has to keep?"""
        return self._budgets.applies(account or self._context.accounts.default, budget)

    def spending(self) -> Spending:
        """What the jobs of this calendar month (UTC) cost so far, in the budget's currency."""
        return self._budgets.spending()

    def check_budget(
        self, estimate: Estimate, account: str | None = None, budget: float | None = None
    ) -> None:
        """Ask beforehand what ``submit`` asks too.

        Raises:
            BudgetError: A budget does not allow it.
        """
        self._budgets.check(estimate, account or self._context.accounts.default, budget)

    async def try_row(
        self, row: bytes | Path, number: int = 1, *, account: str | None = None
    ) -> Trial:
        """Send one request to the provider's synchronous endpoint; nothing of it is kept.

        It is paid like any single request, without the discount of a batch, and no budget
        counts it.

        Args:
            row: A request line (``custom_id``, ``method``, ``url``, ``body``), or a file.
            number: Which request of the file, counted from 1.
            account: The account; else the default one.

        Raises:
            UsageError: The provider answers no single requests, or not at this endpoint.
            InputError: The file or the request cannot be used.
            BatchdeckError: There is no answer.
        """
        name = account or self._context.accounts.default
        if isinstance(row, Path):
            limits = limits_of(self._context.accounts.profile(name))
            row = await asyncio.to_thread(request_at, row, number, limits)
        return await try_request(self._context, name, row)

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

        limits = limits_of(
            self._context.accounts.profile(account or self._context.accounts.default)
        )
        most_rows = limits.rows if rows is None else rows
        most_bytes = limits.bytes if size is None else size
        return await stoppable(
            lambda asked: split_file(path, folder, rows=most_rows, size=most_bytes, stop=asked),
            stop,
        )

    async def _opened(self, source: str | Source, trusted: bool) -> Source:
        if isinstance(source, str):
            return await self.open_source(source, trusted=trusted)
        return source

    async def _template(
        self,
        template: str | Template | None,
        model: str | None,
        custom_id: str | None,
        settings: Mapping[str, Any] | None,
    ) -> Template | None:
        from tui.compose.saved import find_template
        from tui.compose.template import adjusted

        if isinstance(template, str):
            template = await asyncio.to_thread(find_template, template, self.paths.templates)
        if template is not None:
            return adjusted(template, model=model, id=custom_id, settings=settings)
        if custom_id:
            raise InputError("ready-made requests keep their ids", "Leave the id out.")
        return None

    def _own_file(self, source: Source) -> Path:
        from tui.compose.saved import file_name

        folder = private_folder(self.paths.data / _COMPOSED)
        return folder / f"{file_name(Path(source.name.partition('::')[0]).stem) or 'requests'}.jsonl"


