"""Sweeping the files finds what looking at each row finds, wherever windows and lines end."""

from __future__ import annotations

import json
import mmap
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk, line
from tui.core.query import RowFilter, RowSort
from tui.core.rows import Outcome
from tui.errors import UsageError
from tui.progress import Progress
from tui.store.search import matchers
from tui.store.search import text as searching
from tui.store.search import text as sweeping
from tui.store.search.text import matching_lines

TEXTS = st.text(st.sampled_from('abAB é É"\\/\u4f60\n<'), min_size=1, max_size=4)
LINES = st.lists(st.text(st.sampled_from('abAB éÉ"\\/\u4f60\n<xyz'), max_size=30), max_size=8)


@settings(max_examples=300)
@given(TEXTS, LINES, st.booleans(), st.integers(1, 40), st.booleans())
def test_every_line_that_holds_the_text_is_found_once(
    text: str, texts: list[str], escaped: bool, window: int, ended: bool
) -> None:
    lines = [json.dumps({"t": one}, ensure_ascii=escaped).encode() for one in texts]
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    if not data:
        return
    sought = matchers.LiteralMatcher(text)
    expected = []
    start = 0
    for one in lines:
        if text.lower() in json.loads(one)["t"].lower():
            expected.append(start)
        start += len(one) + 1
    with tempfile.TemporaryFile() as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping, "_WINDOW_BYTES", window)
        stream.write(data)
        stream.flush()
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            places = [place for place in matching_lines(mapped, len(data), sought) if place]
            found = [place[0] for place in places]
            # What stands in the JSON around the texts is found too.
            assert set(expected) <= set(found)
            assert found == sorted(set(found))
            for begin, end in places:
                assert sought.is_match(mapped, begin, end)
                assert b"\n" not in mapped[begin:end]
                assert end == len(data) or mapped[end : end + 1] == b"\n"


@pytest.fixture(params=["sweep", "look"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways through the files."""
    monkeypatch.setattr(searching, "_MIN_SHARE", 10**9 if request.param == "sweep" else -1)
    return str(request.param)


def search(desk: Desk, job: str, text: str, **more: object) -> list[int]:
    return list(desk.history.rows.select(job, RowFilter(text=text, **more)).seqs)  # type: ignore[arg-type]


def test_only_the_shown_answer_of_a_row_counts(desk: Desk, way: str) -> None:
    job = desk.job(["a", "b", "c"])
    first = desk.batch(job)
    failed = line("b", Outcome.FAILED, "needle in a failure")
    desk.results(first, [line("a", text="x"), failed, line("nobody", text="needle")])
    assert search(desk, job, "needle") == [1]
    second = desk.batch(job, [1], attempt=2)
    desk.results(second, [line("b", text="all is well")])
    assert search(desk, job, "needle") == []
    assert search(desk, job, "all is WELL") == [1]


def test_the_better_of_two_lines_counts(desk: Desk, way: str) -> None:
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    desk.results(batch, [line("a", Outcome.FAILED, "old needle"), line("a", text="new needle")])
    assert search(desk, job, "new needle") == [0]
    assert search(desk, job, "old needle") == []


def test_results_out_of_order_and_in_many_files(desk: Desk, way: str) -> None:
    ids = [f"r{number}" for number in range(50)]
    job = desk.job(ids)
    batch = desk.batch(job)
    answers = [line(name, text="needle" if int(name[1:]) % 3 == 0 else "hay") for name in ids]
    desk.results(batch, reversed(answers[:40]))
    desk.results(batch, answers[40:], "errors")
    assert search(desk, job, "needle") == list(range(0, 50, 3))
    order = RowSort(column="custom_id", descending=True)
    found = desk.history.rows.select(job, RowFilter(text="needle"), order)
    assert [ids[seq] for seq in found.seqs] == sorted(ids[::3], reverse=True)


def test_a_stopped_search_gives_what_it_has(desk: Desk, way: str) -> None:
    job = desk.job([f"r{number}" for number in range(5)])
    found = desk.history.rows.select(
        job, RowFilter(text="hello"), progress=Progress(stop=lambda: True)
    )
    assert set(found.seqs) <= set(range(5))
    if way == "look":
        assert not len(found.seqs)


def test_lines_beyond_what_is_indexed_are_not_searched(desk: Desk, way: str) -> None:
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    desk.write(batch, line("a", text="needle") + b"\n" + line("b", text="needle"))
    desk.index(batch)
    assert search(desk, job, "needle") == [0]


def test_a_pattern_is_tried_on_texts_as_they_are_meant(desk: Desk) -> None:
    job = desk.job(["alpha", "beta"], text="The prompt")
    answer = line("beta", text="two\nlines, caf\u00e9 12")
    assert b"\\u00e9" in answer
    desk.results(desk.batch(job), [answer])
    assert search(desk, job, r"re:caf. \d+$") == [1]
    assert search(desk, job, r"re:^LINES") == [1]
    assert search(desk, job, r"re:^the PROMPT$") == [0, 1]
    assert search(desk, job, r"re:^al") == [0]
    assert search(desk, job, r"re:custom_id") == []
    # Names of fields are looked for by a text as it stands.
    assert search(desk, job, "custom_id") == [0, 1]


def test_what_is_no_pattern_is_told(desk: Desk) -> None:
    job = desk.job(["a"])
    with pytest.raises(UsageError, match="is not a valid regular expression"):
        search(desk, job, "re:(")


def test_a_pattern_without_end_gives_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matchers, "_TIMEOUT_SECONDS", 0.02)
    job = desk.job(["r1"], text="a" * 60 + "!")
    with pytest.raises(UsageError, match="takes too long"):
        search(desk, job, r"re:(a|aa)+$")
