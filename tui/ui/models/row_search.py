"""The query on the rows of a job, and the search that runs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from textual.timer import Timer
from textual.widget import Widget

from tui.core.analysis.completion import Columns, column_at_end
from tui.core.query import (
    Query,
    RowFilter,
    RowSelection,
    RowSort,
    Term,
    make_column_term,
    make_term,
    parse_query,
    written,
)
from tui.core.rows import UNANSWERED
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.progress import Progress

if TYPE_CHECKING:
    from tui.engine.engine import Engine


_ERRORS = "unanswered"

_IMPLIED_BY_GROUP = frozenset({"group", "outcome", "code", "status", "error"})

_KEYS_OF_COLUMNS = {"custom_id": "id", "input_tokens": "in", "output_tokens": "out"}
"""Columns whose key in the filter language has another name."""

_read = lru_cache(maxsize=64)(parse_query)


@dataclass(frozen=True)
class RowQuery:
    """The active filter, in the filter language, and the sort order. Immutable.

    Everything that a key or a click changes is part of ``where``, so the filter on the screen
    can be edited, saved under a name, and passed to the CLI.
    """

    where: str = ""
    sort: RowSort = field(default_factory=RowSort)

    @property
    def query(self) -> Query:
        """The parsed filter."""
        return _read(self.where)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The conditions of the filter."""
        return self.query.terms

    @property
    def rows(self) -> RowFilter:
        """The filter for the store."""
        return self.query.rows

    @property
    def selects_rows(self) -> bool:
        """Does the filter name rows by their outcome, answer or review?"""
        return self.rows.selects_answers

    @property
    def unanswered(self) -> RowFilter:
        """The rows that a retry applies to: the selected ones, else the failed ones."""
        if self.selects_rows:
            return self.rows
        return msgspec.structs.replace(self.rows, outcomes=UNANSWERED)

    @property
    def is_filtered(self) -> bool:
        """Is a filter active?"""
        return not self.rows.is_empty

    @property
    def is_plain(self) -> bool:
        """Are all rows shown in input order?"""
        return not self.is_filtered and self.sort == RowSort()

    @property
    def errors_only(self) -> bool:
        """Is the errors-only filter active?"""
        return any(_is_errors(term) for term in self.terms)

    @property
    def group(self) -> str:
        """The key of the selected error group; empty if none is selected."""
        return next((term.value for term in self.terms if term.key == "group"), "")

    def with_where(self, where: str) -> RowQuery:
        """This query with another filter."""
        return replace(self, where=where.strip())

    def unfiltered(self) -> RowQuery:
        """This query without a filter."""
        return RowQuery(sort=self.sort)

    def without(self, index: int) -> RowQuery:
        """This query without the condition at an index."""
        return self._of([term for at, term in enumerate(self.terms) if at != index])

    def toggled_errors(self) -> RowQuery:
        """This query with the errors-only filter toggled."""
        others = [term for term in self.terms if term.key != "outcome"]
        return self._of(others if self.errors_only else [make_term("outcome", _ERRORS), *others])

    def toggled_group(self, key: str) -> RowQuery:
        """This query limited to one error group, or to none if that group is selected.

        Other conditions on outcomes and codes are removed because the group implies them.
        """
        others = [term for term in self.terms if term.key not in _IMPLIED_BY_GROUP]
        return self._of(others if key == self.group else [make_term("group", key), *others])

    def sorted_by(self, column: str, *, within: bool = False) -> RowQuery:
        """This query sorted by a column; reversed if it is sorted by that column already.

        Args:
            column: ``seq`` or the name of a column.
            within: Keep the order, and sort rows with equal values by this column.
        """
        keys = dict(self.sort.keys if within else ((self.sort.column, self.sort.descending),))
        down = column in keys and not keys[column]
        if not within or self.sort == RowSort():
            return replace(self, sort=RowSort(column=column, descending=down))
        keys[column] = down
        (first, descending), *more = keys.items()
        return replace(self, sort=RowSort(column=first, descending=descending, more=tuple(more)))

    def with_values(
        self, column: str, values: Sequence[str | None], *, negated: bool = False
    ) -> RowQuery:
        """This query limited to the rows with some values of a column, or to all others.

        Args:
            column: The name of the column.
            values: The values; ``None`` stands for rows without one.
            negated: Exclude the rows instead; earlier exclusions are kept.
        """
        terms = list(self.terms if negated else self.without_column(column).terms)
        return self._of([*terms, make_column_term(column, values, negated=negated)])

    def with_range(self, column: str, written_range: str) -> RowQuery:
        """This query limited to a range of numbers, written as in a query (``>=1,<2``)."""
        term = Term(f"{column}:{written_range}", column, written_range)
        return self._of([*self.without_column(column).terms, term])

    def without_column(self, column: str) -> RowQuery:
        """This query without the conditions that limit it to values of a column."""
        key = _KEYS_OF_COLUMNS.get(column, column)
        return self._of([term for term in self.terms if term.key not in (column, key)])

    def labels(self, group_label: Callable[[str], str]) -> list[str]:
        """A short label for each condition.

        Args:
            group_label: Returns the name of an error group for its key.
        """
        return [_label(term, group_label) for term in self.terms]

    def _of(self, terms: list[Term]) -> RowQuery:
        return replace(self, where=written(terms))


@dataclass(frozen=True)
class FacetAnswer:
    """What was chosen.

    Attributes:
        query: The new filter; ``None`` to keep it.
        command: A command to run on its rows.
        column: A column to show.
        counted: The column whose values were looked at last.
    """

    query: RowQuery | None = None
    command: str = ""
    column: str = ""
    counted: str = ""


def _is_errors(term: Term) -> bool:
    return term.key == "outcome" and term.value == _ERRORS


def _label(term: Term, group_label: Callable[[str], str]) -> str:
    if _is_errors(term):
        return "errors only"
    if term.key == "group":
        return f"error {group_label(term.value)}"
    if not term.key:
        return f"contains {one_line(term.value, 40)!r}"
    return one_line(term.written, 40)


async def learn_columns(engine: Engine, job_id: str, typed: str, known: Columns) -> Columns:
    """The columns of a job for completion, with the values of the one at the end of a query.

    Args:
        engine: Reads the rows.
        job_id: The job.
        typed: The query.
        known: What is known already.

    Raises:
        UnknownJobError: The job was deleted.
    """
    learned = dict(known)
    column = column_at_end(typed)
    if not learned:
        learned = {info.column: () for info in await engine.results.columns(job_id)}
    if column in learned and not learned[column]:
        (facet,) = await engine.results.facets(job_id, [column])
        learned[column] = [value.value for value in facet.values]
        if column == "review":
            labels = [*engine.reviews.labels, *learned[column]]
            learned[column] = list(dict.fromkeys(labels))
    return learned


BUSY_DELAY = 0.2
"""Seconds after which a running search is shown as busy."""

_REST = 0.5
_REST_FACTOR = 4
"""Minimum pause between searches while data arrives: at least ``_REST`` seconds, and
``_REST_FACTOR`` times the duration of the last search."""


@dataclass(frozen=True)
class SearchRequest:
    """A job and the query to run on its rows."""

    job_id: str
    query: RowQuery


class RowSearch:
    """Runs one search at a time, and reports partial results.

    Args:
        host: The widget that runs the worker.
        found: Called with the rows found so far, and whether they are complete.
        show_note: Called with a note: ``searching``, ``stopped`` or an empty string.
        failed: Called with the error.
    """

    def __init__(
        self,
        host: Widget,
        found: Callable[[RowSelection, bool], None],
        show_note: Callable[[str], None],
        failed: Callable[[BatchdeckError], None],
    ) -> None:
        self._host = host
        self._found = found
        self._show_note = show_note
        self._failed = failed
        self._progress = Progress()
        self._running = False
        self._again = False
        self._rest_until = 0.0
        self._timer: Timer | None = None
        self._engine: Engine | None = None
        self._question: SearchRequest | None = None

    @property
    def is_running(self) -> bool:
        """Whether a search is running."""
        return self._running

    def start(self, engine: Engine, request: SearchRequest) -> None:
        """Start a search; cancels the running one."""
        self._engine, self._question = engine, request
        self._start(streaming=True)

    def search_again(self) -> None:
        """Schedule the same search again after the data changed."""
        if self._progress.stopped or self._question is None:
            return
        if self._running:
            self._again = True
        elif self._timer is None:
            pause = max(0.01, self._rest_until - time.monotonic())
            self._timer = self._host.set_timer(pause, lambda: self._start(streaming=False))

    def reset(self) -> None:
        """Cancel the search and drop its results."""
        self._question = None
        self._replace_progress()
        self._running = self._again = False

    def stop(self) -> bool:
        """Stop the search and keep its partial results; returns ``False`` if none is running."""
        if not self._running:
            return False
        self._progress.stop()
        return True

    def _replace_progress(self) -> None:
        self._progress.stop()
        self._progress = Progress()
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _start(self, *, streaming: bool) -> None:
        self._replace_progress()
        self._running, self._again = True, False
        work = self._run(self._progress, streaming)
        self._host.run_worker(work, group="select", exclusive=True, exit_on_error=False)

    async def _run(self, progress: Progress, streaming: bool) -> None:
        engine, request = self._engine, self._question
        if engine is None or request is None:
            return

        def partial(found: RowSelection) -> None:
            if not progress.stopped:
                self._found(found, False)

        started = time.monotonic()
        busy = self._host.set_timer(BUSY_DELAY, lambda: self._show_note("searching"))
        try:
            selection = await engine.results.select(
                request.job_id,
                request.query.rows,
                request.query.sort,
                progress=progress,
                partial=partial if streaming else None,
            )
        except BatchdeckError as error:
            if progress is self._progress:
                self._failed(error)
            return
        finally:
            busy.stop()
            if progress is self._progress:
                self._running = False
        if progress is not self._progress:
            return
        now = time.monotonic()
        self._rest_until = now + max(_REST, _REST_FACTOR * (now - started))
        self._found(selection, not progress.stopped)
        self._show_note("stopped" if progress.stopped else "")
        if self._again:
            self._again = False
            self.search_again()
