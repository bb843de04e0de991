"""Import a requests file as a job: check it, then copy it into the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

import msgspec

from tui.compose.build import find_columns_file
from tui.compose.checks.clean import clean_requests
from tui.compose.checks.scan import Scan, scan_file
from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.report import CheckReport
from tui.core.analysis.columns import INPUT_PREFIX, ColumnKind, as_text, parse_column
from tui.core.analysis.sample import sample_rows, sample_strata
from tui.core.jobs import BatchStatus, Counts, Job, SamplePart, new_job_id
from tui.core.requests import edit_request
from tui.core.rows import decode_columns
from tui.core.submission import NOT_BEGUN
from tui.core.text import BOM, free_name, quoted
from tui.engine.context import Context
from tui.engine.costs.forecast import Forecast, forecast
from tui.engine.transfers.fetch import address_of
from tui.errors import InputError, UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import History


class ImportOptions(TypedDict, total=False):
    """Options of an import.

    Attributes:
        name: The job's name; by default the file's name.
        fix: Fix problems that can be fixed without changing a request.
        window: The completion window; by default the provider's first one.
        edits: Edits of every request's body, by dotted path.
        experiment: The experiment that the job belongs to.
        source: What the file was made from; by default its address if it was fetched, else its
            path.
    """

    name: str | None
    fix: bool
    window: str | None
    edits: Mapping[str, Any] | None
    experiment: str
    source: str


class FileImport:
    """The import of one file, for one account. All methods block: call them in a thread.

    Args:
        context: The engine context.
        path: The file.
        account: The account that will send it.
        options: See ``ImportOptions``.

    Raises:
        UsageError: There is no such account, or it has no such completion window.
    """

    def __init__(
        self, context: Context, path: Path, account: str, **options: Unpack[ImportOptions]
    ) -> None:
        self._context = context
        self.path = path
        self.info = context.accounts.info(account)
        self.edits = options.get("edits") or {}
        self.name = options.get("name") or _free_job_name(context, path.stem)
        self._fix = options.get("fix", False)
        self._experiment = options.get("experiment", "")
        self._source = options.get("source") or address_of(path) or str(path)
        self._limits = context.accounts.limits(account)
        windows, window = self.info.windows, options.get("window")
        if window is not None and windows and window not in windows:
            raise UsageError(
                f"{self.info.provider_name} has no window {window!r}",
                f"Choose one of {', '.join(windows)}.",
            )
        self.window = "" if self.info.direct else window or next(iter(windows), "24h")
        self._state: _FileState | None = None

    def check(self, progress: Progress = NO_PROGRESS) -> Scan:
        """Read the file and check it against the account's limits.

        Raises:
            InputError: The file has errors; the message names the first one.
        """
        self._state = _state_of(self.path)
        scan = scan_file(self.path, limits=self._limits, progress=progress)
        raise_if_invalid(scan.report, self.path, fix=self._fix)
        return scan

    def has_size_of(self, earlier: CheckReport) -> bool:
        """Whether the file has the size that it had when it was checked earlier."""
        state = _state_of(self.path)
        return state is not None and state.size == earlier.size

    def check_again(self, earlier: CheckReport, progress: Progress = NO_PROGRESS) -> Scan:
        """Check a file that the user was told of after an earlier check.

        Raises:
            InputError: The file has errors; the message names the first one.
            UsageError: It is not what was checked then.
        """
        scan = self.check(progress)
        if _contents(scan.report) != _contents(earlier):
            raise file_was_changed(self.path)
        return scan

    def model(self, report: CheckReport) -> str:
        """The model of most requests, after the edits."""
        return str(self.edits.get("model", _most_common(report.models)))

    def forecast(self, report: CheckReport) -> Forecast | None:
        """How long earlier batches with this account, model and window took."""
        return forecast(self._context, self.info.name, self.model(report), self.window)

    def store(self, report: CheckReport, progress: Progress = NO_PROGRESS) -> Job:
        """Import the whole file as a job.

        Args:
            report: The result of ``check``.
            progress: Stops the import.

        Raises:
            UsageError: The import was stopped, or an edit cannot be applied.
        """
        return self._store(report, self.name, None, None, progress)

    def store_sample(
        self,
        report: CheckReport,
        rows: int,
        progress: Progress = NO_PROGRESS,
        *,
        seed: int = 0,
        by: str = "",
    ) -> tuple[Job, Job]:
        """Import ``rows`` random rows as the job NAME-sample, and all others as NAME.

        Args:
            report: The result of ``check``.
            rows: The rows of the sample.
            progress: Stops the import.
            seed: The same number chooses the same rows of the same file.
            by: An input column, such as ``in.lang``: as many rows with each of its values.

        Raises:
            UsageError: The file has no more rows than the sample, it has no such input column,
                the column has too many values, or as for ``store``.
        """
        if rows < 1:
            raise UsageError("a sample needs at least one row", "Use a number of 1 or more.")
        if rows >= report.rows:
            raise UsageError(
                f"{self.path.name} has only {report.rows:,} requests",
                "Submit the whole file, without a sample.",
            )
        part = SamplePart(rows=rows, of=report.rows, seed=seed, by=by)
        chosen = self._sampled(part)
        left = msgspec.structs.replace(part, rest=True)
        sample = self._store(report, f"{self.name}-sample", chosen.__contains__, part, progress)
        try:
            rest = self._store(report, self.name, lambda seq: seq not in chosen, left, progress)
        except BaseException:
            self._context.history.jobs.delete(sample.id)
            raise
        return sample, rest

    def sampled_requests(self, report: CheckReport, part: SamplePart) -> Iterator[bytes]:
        """The requests of the rows that ``store_sample`` would choose; the others are not parsed.

        Raises:
            UsageError: As for ``store_sample``.
        """
        chosen = self._sampled(part)
        if not report.ok:
            # What is repaired on import may change which line is which row.
            yield from (line for seq, (_, line) in enumerate(self.requests()) if seq in chosen)
            return
        with open_bytes(self.path) as file:
            for seq, line in enumerate(file):
                if seq in chosen:
                    yield self._edited(line.removeprefix(BOM).rstrip(b"\r\n"), seq + 1)

    def _sampled(self, part: SamplePart) -> frozenset[int]:
        """The row numbers of a sample."""
        if part.by:
            values = enumerate(self._values(part.by))
            return frozenset(sample_strata(values, part.rows, part.seed)[0])
        return frozenset(sample_rows(range(part.of), part.rows, part.seed))

    def _values(self, by: str) -> Iterator[str]:
        """The value of an input column in each row of the file."""
        column = parse_column(by)
        if column.kind is not ColumnKind.INPUT:
            raise UsageError(
                f"{quoted(by)} is not known before the rows are answered",
                "Use an input column: in.NAME.",
            )
        sidecar = find_columns_file(self.path)
        if sidecar is None:
            raise UsageError(
                f"{self.path.name} has no input columns",
                "Compose it from a table, or sample without a column.",
            )
        if not sidecar.fits:
            raise UsageError(
                f"the input columns of {self.path.name} are unknown: it was changed after it was"
                " composed",
                "Compose it again, or sample without a column.",
            )
        names = sidecar.head.columns
        if column.name not in names:
            known = ", ".join(INPUT_PREFIX + name for name in names)
            raise UsageError(f"no input column {quoted(column.name)}", f"Use one of {known}.")
        place, width = names.index(column.name), len(names)
        for line in sidecar.lines():
            yield as_text(decode_columns(line, width)[place]) or ""

    def _store(
        self,
        report: CheckReport,
        name: str,
        keep: Callable[[int], bool] | None,
        part: SamplePart | None,
        progress: Progress,
    ) -> Job:
        """Copy the rows that ``keep`` accepts, or all of them, into a new job."""
        context = self._context
        rows = report.rows if keep is None else sum(map(keep, range(report.rows)))
        job = Job(
            id=new_job_id(),
            name=_storable(name),
            account=self.info.name,
            provider=self.info.provider,
            endpoint=_most_common(report.endpoints),
            model=self.model(report),
            status=BatchStatus.DRAFT,
            counts=Counts(total=rows, pending=rows),
            window=self.window,
            input_tokens=round(report.input_tokens * rows / report.rows),
            source=_storable(self._source),
            experiment=_storable(self._experiment),
            created_at=context.clock(),
            sample=part,
        )
        requests = self.requests()
        if keep is not None:
            requests = (request for seq, request in enumerate(requests) if keep(seq))
        context.reach("checked")
        sidecar = find_columns_file(self.path)
        columns = None
        if sidecar is not None and sidecar.fits:
            lines = sidecar.lines()
            if keep is not None:
                lines = (line for seq, line in enumerate(lines) if keep(seq))
            columns = (msgspec.structs.replace(sidecar.head, rows=rows), lines)
        imported = context.history.jobs.add(
            job, requests, columns=columns, progress=Progress(stop=lambda: progress.stopped)
        )
        if imported is None:
            raise UsageError("the import was stopped", "Nothing was imported.")
        context.reach("imported")
        if columns is not None and (origin := columns[0].origin) is not None:
            where = f", {origin.where}" if origin.where else ""
            what = f"Made from rows of {origin.name} ({origin.job}){where}"
            context.history.jobs.note(job.id, context.clock(), what)
        if sidecar is not None and columns is None:
            what = f"Input columns left out: {job.source} was changed after it was composed"
            context.history.jobs.note(job.id, context.clock(), what)
        return context.history.jobs.get(job.id)

    def requests(self) -> Iterator[tuple[str, bytes]]:
        """The id and the line of each request as it is imported, without its line end.

        Raises:
            UsageError: An edit cannot be applied, or the file is not what was checked.
        """
        for request in clean_requests(self.path, fix=self._fix, limits=self._limits):
            yield request.custom_id, self._edited(request.line, request.line_number)
        if self._state is not None and _state_of(self.path) != self._state:
            raise file_was_changed(self.path)

    def _edited(self, line: bytes, number: int) -> bytes:
        try:
            return edit_request(line, self.edits)
        except ValueError as error:
            raise UsageError(f"line {number}: {error}") from None


class _FileState(NamedTuple):
    """What differs between two states of a file: its identity, size and time."""

    number: int
    size: int
    changed_at: int


def _state_of(path: Path) -> _FileState | None:
    """The state of a file; ``None`` if it cannot be had: reading it says why."""
    try:
        found = path.stat()
    except OSError:
        return None
    return _FileState(found.st_ino, found.st_size, found.st_mtime_ns)


def _contents(report: CheckReport) -> tuple[object, ...]:
    """What a check tells of the contents of a file."""
    return (report.size, report.rows, report.input_tokens, report.models)


def file_was_changed(path: Path) -> UsageError:
    """The error for a file that is no longer what the user was told of, and has agreed to."""
    return UsageError(
        f"{path.name} was changed after it was checked",
        "Nothing was sent. Check it again, then submit it.",
    )


def has_begun(history: History, job: Job) -> bool:
    """Whether the provider has, or may have, a batch of a job, or answers were copied for it."""
    batches = history.batches.of_job(job.id)
    return any(batch.submission not in NOT_BEGUN or batch.reuses for batch in batches)


def find_begun(history: History, source: str, account: str) -> Job | None:
    """The newest job of an account from a source that has begun; see ``has_begun``."""
    return _newest_begun(history, history.jobs.of_source(source, account))


def find_of_source(history: History, source: str, account: str) -> Job | None:
    """The job that stands for a source: the newest one that has begun, else the first draft.

    All programs find the same one, also while several of them are making it.
    """
    jobs = history.jobs.of_source(source, account)
    return _newest_begun(history, jobs) or next(iter(jobs), None)


def _newest_begun(history: History, jobs: Sequence[Job]) -> Job | None:
    return next((job for job in reversed(jobs) if has_begun(history, job)), None)


def raise_if_invalid(report: CheckReport, path: Path, *, fix: bool) -> None:
    """Raise if a file has problems that prevent its import.

    Raises:
        InputError: The first of these problems.
    """
    if report.ok or (fix and report.ok_when_fixed):
        return
    blocking = [p for p in report.problems if p.severity != "warning"]
    errors = [p for p in blocking if p.severity == "error"]
    first = (errors or blocking)[0]
    where = f"{path.name}, line {first.line}: " if first.line is not None else f"{path.name}: "
    more = report.stops + report.fixable - 1
    others = f" (and {more:,} more {'problem' if more == 1 else 'problems'})" if more else ""
    hint = first.fix
    if not errors:
        hint = "Use --fix to repair this on import; no request is changed."
    elif more:
        hint = f"{hint} `batchdeck check` lists all of them."
    raise InputError(f"{where}{first.what}{others}", hint, path=path, line=first.line)


def _most_common(counted: dict[str, int]) -> str:
    return max(counted, key=lambda key: counted[key], default="")


def _storable(text: str) -> str:
    """The text with invalid Unicode replaced, as file names may contain it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _free_job_name(context: Context, name: str) -> str:
    taken = {job.name for job in context.history.jobs.list(search="")}
    return free_name(name, taken.__contains__)
