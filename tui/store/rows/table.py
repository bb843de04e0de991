"""The rows of a job as a table: ids, prompts, answers, their fields, and the input columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tui.core import json_path
from tui.core.analysis.columns import FIELD_PREFIX, INPUT_PREFIX, fields_of
from tui.core.analysis.prompt_text import prompt_text
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.rows import ANSWERED, RowLine
from tui.store.job_records import JobData
from tui.store.rows.inputs import InputColumns
from tui.store.rows.lookup import find_row_numbers
from tui.store.rows.reader import RowReader

OTHER_PREFIX = "other."
"""Start of the names of the columns of a joined job."""

_PAGE = 500
_PAGE_BYTES = 16 << 20
_SAMPLE = 300
_MOST_FIELDS = 200
_FACTS = ("custom_id", "prompt", "answer")
_LAST_FACTS = ("outcome", "model")
_OTHER_FACTS = ("answer", "outcome", "model")


class JobRow(dict[str, Any]):
    """A row of a ``JobTable``; a field that is no column of its own is found by its path."""

    __slots__ = ("_data", "_names")

    def __init__(self, data: Any, names: frozenset[str]) -> None:
        super().__init__()
        self._data = data
        self._names = names

    def __missing__(self, name: str) -> Any:
        if name.startswith(INPUT_PREFIX):
            written = _input_name(name.removeprefix(INPUT_PREFIX))
            if written in self:
                return self[written]
        path = name.removeprefix(FIELD_PREFIX)
        if path == name or not json_path.is_path(path):
            raise KeyError(name)
        if json_path.first_name(path) not in self._names:
            raise KeyError(name)
        return json_path.get(self._data, path)


class JobTable:
    """Rows of a job as a table that can be read more than once, from any thread.

    The columns are ``custom_id``, ``prompt``, ``answer``, the fields of JSON answers (``@label``),
    the input columns (``in.text``), ``outcome`` and ``model``. With a second job, its rows with the
    same ``custom_id`` give ``other.answer``, ``other.@label``, ``other.outcome`` and
    ``other.model``. A value that a row does not have is ``None``.

    Args:
        open_job: Opens a job for the thread that calls it.
        job_id: The job.
        seqs: The rows, in order.
        other_id: The second job.

    Attributes:
        columns: The names of the columns; the fields are those of the first answers.
    """

    def __init__(
        self,
        open_job: Callable[[str], JobData],
        job_id: str,
        seqs: Sequence[int],
        other_id: str | None = None,
    ) -> None:
        self._open_job = open_job
        self._job_id = job_id
        self._seqs = seqs
        self._other_id = other_id
        data = open_job(job_id)
        with InputColumns(data.paths, job_id) as inputs:
            self._inputs = tuple(_input_name(name) for name in inputs.columns)
        self._fields, self._other_fields = self._find_fields()
        self._names = frozenset(filter(None, map(json_path.first_name, self._fields)))
        self.columns: tuple[str, ...] = (
            *_FACTS,
            *(FIELD_PREFIX + path for path in self._fields),
            *self._inputs,
            *_LAST_FACTS,
        )
        if other_id is not None:
            joined = (*_OTHER_FACTS, *(FIELD_PREFIX + path for path in self._other_fields))
            self.columns += tuple(OTHER_PREFIX + name for name in joined)

    def __len__(self) -> int:
        return len(self._seqs)

    def rows(self) -> Iterator[JobRow]:
        """Read the rows, a part at a time.

        Raises:
            HistoryError: A file of the job was changed or is missing.
        """
        for start in range(0, len(self._seqs), _PAGE):
            page = self._seqs[start : start + _PAGE]
            # Opened for each page, because the next one may be read by another thread.
            with RowReader(self._open_job(self._job_id)) as reader:
                parts = list(reader.parts(page, _PAGE_BYTES))
            for part in parts:
                yield from self._part(part)

    def _part(self, seqs: Sequence[int]) -> list[JobRow]:
        data = self._open_job(self._job_id)
        with RowReader(data) as reader:
            lines = list(reader.lines(seqs))
            prompts = [prompt_text(_decoded(line)) for _, line in reader.requests(seqs)]
        with InputColumns(data.paths, data.id) as inputs:
            values = inputs.rows(seqs)
        others = self._others([line.custom_id for line in lines])
        return [
            self._row(line, prompt, given, others)
            for line, prompt, given in zip(lines, prompts, values, strict=True)
        ]

    def _row(
        self,
        line: RowLine,
        prompt: str,
        given: tuple[Any, ...] | None,
        others: dict[str, RowLine],
    ) -> JobRow:
        row = JobRow(line.data, self._names)
        row["custom_id"] = line.custom_id
        row["prompt"] = prompt
        row["answer"] = _answer(line)
        for path in self._fields:
            row[FIELD_PREFIX + path] = json_path.get(line.data, path)
        row.update(zip(self._inputs, given or [None] * len(self._inputs), strict=True))
        row["outcome"] = line.outcome.value
        row["model"] = line.model
        if self._other_id is not None:
            other = others.get(line.custom_id)
            row[f"{OTHER_PREFIX}answer"] = None if other is None else _answer(other)
            row[f"{OTHER_PREFIX}outcome"] = None if other is None else other.outcome.value
            row[f"{OTHER_PREFIX}model"] = None if other is None else other.model
            for path in self._other_fields:
                found = None if other is None else json_path.get(other.data, path)
                row[f"{OTHER_PREFIX}{FIELD_PREFIX}{path}"] = found
        return row

    def _others(self, ids: Sequence[str]) -> dict[str, RowLine]:
        if self._other_id is None:
            return {}
        data = self._open_job(self._other_id)
        seqs = find_row_numbers(data.connection, data.pk, ids)
        with RowReader(data) as reader:
            return {line.custom_id: line for line in reader.lines(list(seqs.values()))}

    def _find_fields(self) -> tuple[list[str], list[str]]:
        """Find the fields of the first answers, and of those that are joined to them."""
        found: dict[str, None] = {}
        joined: dict[str, None] = {}
        data = self._open_job(self._job_id)
        sample = self._seqs[:_SAMPLE]
        with RowReader(data) as reader:
            for part in reader.parts(sample, _PAGE_BYTES):
                lines = list(reader.lines(part))
                _add_fields(found, lines)
                _add_fields(joined, self._others([line.custom_id for line in lines]).values())
        return list(found), list(joined)


def _input_name(name: str) -> str:
    return INPUT_PREFIX + json_path.quote_step(name)


def _answer(line: RowLine) -> str | None:
    return line.text if line.outcome in ANSWERED else None


def _add_fields(found: dict[str, None], lines: Any) -> None:
    for line in lines:
        if line.data is not None and len(found) < _MOST_FIELDS:
            paths = fields_of(line.data, _MOST_FIELDS)
            found.update(dict.fromkeys(paths[: _MOST_FIELDS - len(found)]))


def _decoded(line: bytes) -> Any:
    try:
        return decode_lenient(line)
    except UnreadableLineError:
        return None
