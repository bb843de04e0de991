"""The rows of an export, a page at a time, with what the options ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import msgspec

from tui.core.data import row_line
from tui.core.filtering import RowSelection
from tui.core.outcome import ANSWERED, Outcome
from tui.core.readers import READERS
from tui.core.results import UnreadableLineError
from tui.core.rows import Attempt, RowLine, Usage
from tui.errors import HistoryError, UsageError
from tui.store.export.options import ExportOptions
from tui.store.guarding import told_as_damage
from tui.store.history import History
from tui.store.inputs import InputColumns
from tui.store.jobs import job_pk
from tui.store.lines import RowReader
from tui.store.terms import Terms

PAGE = 1000
"""Rows read at a time."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """A row, or an attempt at one, ready to be written.

    ``wire`` is the provider's line where raw lines were asked for, and ``line`` then says
    nothing; ``inputs`` are the row's values of the table.
    """

    seq: int
    line: RowLine
    inputs: tuple[object, ...] | None = None
    wire: bytes = b""


_UNREAD = RowLine(
    custom_id="",
    outcome=Outcome.PENDING,
    attempt=1,
    http_status=None,
    error=None,
    finish_reason=None,
    model=None,
    text="",
    data=None,
    usage=Usage(),
    cost=None,
)
"""Stands for a row of which only the bytes are wanted."""


class Records:
    """Reads what is to be written; a context manager.

    Args:
        history: Where the rows are.
        job_id: Whose rows.
        selection: Which rows, in which order.
        options: What is asked for.

    Raises:
        UsageError: The job has no input columns to join.
    """

    def __init__(
        self, history: History, job_id: str, selection: RowSelection, options: ExportOptions
    ) -> None:
        self.history = history
        self.job_id = job_id
        self.options = options
        self._selection = selection
        self._open = ExitStack()
        self._inputs: InputColumns | None = None
        pk = job_pk(history.database.read, job_id)
        if pk is None:
            raise _gone()
        # One for all rows: the files that it reads from stay open.
        job = (pk, job_id)
        self._reader = RowReader(history.database.read, history.paths, job, Terms())
        self._open.callback(self._reader.close)
        if options.join:
            self._inputs = self._open.enter_context(InputColumns(history.paths, job_id))
            if not self._inputs.columns:
                raise UsageError(
                    "this job has no input columns to join",
                    "Only jobs that were composed from a table keep them; leave join out.",
                )

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __len__(self) -> int:
        return len(self._selection)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the input columns; none unless they are joined."""
        return () if self._inputs is None else self._inputs.columns

    def pages(self, options: ExportOptions | None = None) -> Iterator[list[Record]]:
        """The rows, or the attempts at them, page by page, in order.

        Raises:
            HistoryError: A result file is not what it was.
        """
        options = options or self.options
        seqs = self._selection.seqs
        for start in range(0, len(seqs), PAGE):
            page = seqs[start : start + PAGE]
            if options.raw and not options.attempts:
                yield self._wires(page)
            elif options.attempts:
                yield self._attempts(page, options)
            else:
                yield self._merged(page)

    def _merged(self, seqs: Sequence[int]) -> list[Record]:
        part = RowSelection(seqs=seqs, total=self._selection.total)
        lines = list(self.history.row_lines(self.job_id, part))
        if len(lines) != len(seqs):
            raise _gone()
        if self._inputs is None:
            return [Record(seq, line) for seq, line in zip(seqs, lines, strict=True)]
        values = self._inputs.rows(seqs)
        return [Record(*row) for row in zip(seqs, lines, values, strict=True)]

    def _wires(self, seqs: Sequence[int]) -> list[Record]:
        with told_as_damage(self.history.database.path):
            return [Record(seq, _UNREAD, None, wire) for seq, wire in self._reader.wires(seqs)]

    def _attempts(self, seqs: Sequence[int], options: ExportOptions) -> list[Record]:
        values = [None] * len(seqs) if self._inputs is None else self._inputs.rows(seqs)
        records: list[Record] = []
        for seq, inputs in zip(seqs, values, strict=True):
            with told_as_damage(self.history.database.path):
                detail = self._reader.detail(seq)
            if detail is None:
                raise _gone()
            # From the first to the last, as they happened.
            shown = sorted(detail.attempts, key=_number)
            if not shown and not options.raw:
                shown = [Attempt(row=detail.row)]
            for attempt in shown:
                line = line_of(attempt)
                if not options.raw:
                    records.append(Record(seq, line, inputs))
                elif attempt.line:
                    records.append(Record(seq, line, None, attempt.line))
        return records


def _gone() -> HistoryError:
    return HistoryError("rows of this job are gone", "Was it deleted meanwhile?")


def _number(attempt: Attempt) -> int:
    return attempt.row.attempt


def line_of(attempt: Attempt) -> RowLine:
    """One attempt as scripts get a row.

    Raises:
        HistoryError: Its result line is not there any more.
    """
    row = attempt.row
    text = ""
    error = row.error
    if attempt.line:
        try:
            result = READERS[attempt.style](attempt.line, None)
        except UnreadableLineError:
            result = None
        if result is not None:
            text = result.text
            if error is not None and result.error is not None:
                error = msgspec.structs.replace(error, message=result.error.message)
    elif row.outcome in ANSWERED:
        raise HistoryError(
            f"the answer of {row.custom_id!r} is not in its file any more",
            "`batchdeck doctor` looks over the whole history.",
        )
    return row_line(row, text, error)
