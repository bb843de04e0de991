"""Answer checks of the row filter, such as ``json:ok`` and ``schema:bad``.

To add one, add a word and a function to ``CHECKS``, and the word to ``tui.core.query``.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tui.core.rows import ANSWERED
from tui.errors import UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.job_records import JobData
from tui.store.rows.reader import RowReader
from tui.store.search.text import ReportFound, search_in_pages

if TYPE_CHECKING:
    from tui.core.results.schema import SchemaResult

AnswerCheck = Callable[[JobData, Sequence[int]], Iterable[int]]
"""Takes a job and row numbers; returns those whose answer passes, in the given order."""


def _is_json(data: JobData, seqs: Sequence[int], *, wanted: bool) -> list[int]:
    """Rows whose answer is a JSON object or array, or, if not ``wanted``, whose answer is not."""
    with RowReader(data) as reader:
        return [
            seq
            for seq, line in zip(seqs, reader.lines(seqs), strict=False)
            if line.outcome in ANSWERED and (line.data is not None) is wanted
        ]


def _fits(data: JobData, seqs: Sequence[int], *, wanted: bool) -> list[int]:
    """Rows whose answer fits its schema, or, if not ``wanted``, whose answer does not."""
    from tui.core.results.schema import SchemaResult
    from tui.store.search.schema_results import check_schemas

    passing: tuple[SchemaResult, ...]
    passing = (SchemaResult.FITS,) if wanted else (SchemaResult.MISFITS, SchemaResult.NOT_JSON)
    each = check_schemas(data, seqs).each
    return [seq for seq, verdict in zip(seqs, each, strict=False) if verdict in passing]


CHECKS: dict[str, AnswerCheck] = {
    "json:ok": partial(_is_json, wanted=True),
    "json:bad": partial(_is_json, wanted=False),
    "schema:ok": partial(_fits, wanted=True),
    "schema:bad": partial(_fits, wanted=False),
}
"""Answer checks by the word of the filter."""


class AnswerSearch:
    """Finds the rows whose answer passes a check.

    Args:
        data: The job.
        word: The check, a key of ``CHECKS``.

    Raises:
        UsageError: The word is unknown.
    """

    def __init__(self, data: JobData, word: str) -> None:
        if word not in CHECKS:
            raise UsageError(f"unknown check {word!r}", f"Use one of {', '.join(CHECKS)}.")
        self._check = partial(CHECKS[word], data)

    def among(
        self,
        seqs: Sequence[int],
        progress: Progress = NO_PROGRESS,
        report: ReportFound | None = None,
    ) -> array[int]:
        """Rows that pass, in the given order; see ``TextSearch.among``."""
        return search_in_pages(seqs, self._check, progress, report)
