"""Answers read page by page: the same values, whoever reads a page, and no process is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.bench import Desk
from tests.store.columns.test_columns import a_job
from tests.waiting import Patience
from tui import limited_process
from tui.processes import is_running
from tui.progress import Progress
from tui.store.columns import answer_pages
from tui.store.columns import values as listing
from tui.store.columns.answer_fields import Page, PageValues, read_page
from tui.store.columns.answer_pages import _pages, _Processes
from tui.store.columns.reader import ColumnReader
from tui.store.columns.values import ColumnValues
from tui.store.job_records import JobData

PATHS = ["label", "score", "", "deep.er"]
ODD = (
    "", "plain", '{"label": "cut', '```json\n{"label": "fenced"}\n```', "[1, 2]",
    '{"label": {"a": [1]}, "score": true}', '{"label": "\\u0000\\ud83d\\ude00"}',
    '{"label": "a", "label": "last"}', ' {"label": "spaced"} ', '{"label": "' + "x" * 3000 + '"}',
    '{"score": 1e400, "label": 123456789012345678901234567890}',
)  # fmt: skip


def answers() -> list[str | None]:
    found: list[str | None] = [
        json.dumps({"label": "abc"[n % 3], "score": n % 7 / 2, "deep": {"er": n}})
        for n in range(80)
    ]
    for place, odd in enumerate((*ODD, None)):
        found.insert(5 * place, odd)
    return found


def state(values: ColumnValues) -> tuple[Any, ...]:
    numbers = None if values._numbers is None else [repr(one) for one in values._numbers]
    return values.codes.tolist(), values.texts, dict(values._types), numbers


def all_values(data: JobData, read: Iterable[tuple[Page, PageValues]]) -> list[Any]:
    whole = [ColumnValues(data.job.counts.total) for _ in PATHS]
    for _, (seqs, parts) in read:
        for values, part in zip(whole, parts, strict=True):
            values.put(seqs, part)
    return [state(values) for values in whole]


@pytest.fixture
def data(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> JobData:
    monkeypatch.setattr(listing, "_MOST_DISTINCT", 12)
    return desk.history.rows._data(a_job(desk, answers()))


@pytest.fixture
def expected(data: JobData) -> list[Any]:
    pages = _pages(data, PATHS, {}, 1000)
    return all_values(data, ((page, read_page(data.connection, page)) for page in pages))


def started(reading: _Processes, pages: Iterator[Page]) -> Iterator[Page]:
    """Pages that are read by the processes, none of them by this one."""
    for one in reading.started:
        one.result()
    yield from pages


@pytest.mark.parametrize("rows", [1, 7, 50])
def test_processes_read_the_same(
    data: JobData, expected: list[Any], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_pages, "read_page", lambda *_: pytest.fail("read here"))
    reading = _Processes(data)
    try:
        pages = started(reading, _pages(data, PATHS, {}, rows))
        assert all_values(data, reading.read(pages)) == expected
    finally:
        reading.close()


def test_pages_are_read_here_if_no_process_can_be_started(
    data: JobData, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(arguments: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(limited_process, "_start", refuse)
    reading = _Processes(data)
    try:
        assert all_values(data, reading.read(_pages(data, PATHS, {}, 7))) == expected
    finally:
        reading.close()


def test_pages_of_killed_processes_are_read_here(data: JobData, expected: list[Any]) -> None:
    reading = _Processes(data)
    before = set(limited_process._STARTED)

    def pages() -> Iterator[Page]:
        for number, page in enumerate(started(reading, _pages(data, PATHS, {}, 7))):
            if number == 5:
                for process in set(limited_process._STARTED) - before:
                    process.kill()
            yield page

    try:
        assert all_values(data, reading.read(pages())) == expected
    finally:
        reading.close()


def test_a_large_job_that_is_stopped_leaves_no_process(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_pages, "_LARGE_BYTES", 0)
    monkeypatch.setattr(answer_pages, "_PAGE_ROWS", 5)
    job = a_job(desk, answers())
    before = set(limited_process._STARTED)
    progress = Progress()
    seen: list[int] = []

    def stop(_: object) -> None:
        seen.append(len(set(limited_process._STARTED) - before))
        progress.stop()

    monkeypatch.setattr("tui.store.columns.facets._FIRST_SECONDS", -1.0)
    (facet,) = desk.history.rows.facets(job, ["@label"], progress=progress, partial=stop)
    assert not facet.is_whole
    assert len(seen) == 1
    assert set(limited_process._STARTED) == before
    (facet,) = desk.history.rows.facets(job, ["@label"])
    assert facet.is_whole
    desk.history.rows._columns = ColumnReader()
    monkeypatch.setattr(answer_pages, "_LARGE_BYTES", 1 << 40)
    assert desk.history.rows.facets(job, ["@label"]) == [facet]


_READER = """
import sys
from pathlib import Path
from tui import limited_process
from tui.paths import Paths
from tui.store.columns.answer_pages import _Processes
from tui.store.history import History

history = History(Paths.find(Path(sys.argv[1])))
reading = _Processes(history.rows._data(sys.argv[2]))
for one in reading.started:
    one.result()
print(*(process.pid for process in limited_process._STARTED), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="kills as Unix does")
def test_a_killed_reader_leaves_no_process(desk: Desk) -> None:
    job = a_job(desk, answers())
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(desk.paths.data), job],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(answer_pages.__file__).parents[3],
    )
    assert reader.stdin is not None and reader.stdout is not None
    with reader.stdin, reader.stdout:
        children = [int(pid) for pid in reader.stdout.readline().split()]
        assert children and all(map(is_running, children))
        reader.send_signal(signal.SIGKILL)
        reader.wait()
    patience = Patience(10.0, *children)
    while any(map(is_running, children)) and not patience.is_over:
        os.sched_yield()
    assert not any(map(is_running, children))


VALUES = st.lists(
    st.none()
    | st.sampled_from(["a", "b", "7", "x" * 30, "1" * 30, True, {"a": 1}])
    | st.integers(-20, 20)
    | st.floats(-2, 2, width=16),
    max_size=40,
)


@given(VALUES, st.integers(1, 9), st.integers(2, 9), st.integers(1, 60))
def test_values_put_in_parts_are_those_set_in_turn(
    found: list[Any], size: int, distinct: int, characters: int
) -> None:
    bounds = {"_MOST_DISTINCT": distinct, "_MOST_CHARACTERS": characters, "_LONGEST": 20}
    before = {name: getattr(listing, name) for name in bounds}
    try:
        for name, bound in bounds.items():
            setattr(listing, name, bound)
        one, other = ColumnValues(2 * len(found)), ColumnValues(2 * len(found))
        for number, value in enumerate(found):
            one.set(2 * number, value)
        for start in range(0, len(found), size):
            of_page = found[start : start + size]
            part = ColumnValues(len(of_page), lists_all=True)
            half = len(of_page) // 2
            part.set_all(0, of_page[:half])
            part.set_all(half, of_page[half:])
            other.put(range(2 * start, 2 * (start + len(of_page)), 2), part)
    finally:
        for name, bound in before.items():
            setattr(listing, name, bound)
    assert state(other) == state(one)
    assert other._has_unlisted == one._has_unlisted
