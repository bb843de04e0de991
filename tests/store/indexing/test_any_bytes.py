"""Result files of any bytes at all: every line is a row, a stray, or blank; nothing crashes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk, line
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import READERS
from tui.core.rows import Outcome, RowResult
from tui.core.text import BOM
from tui.paths import Paths
from tui.store.indexing import indexer as indexing

GOOD = line("r0", text="caf\u00e9 \u2028 \x85")
MESSAGES = (
    b'{"custom_id":"r1","result":{"type":"succeeded","message":{"content":'
    b'[{"type":"text","text":"hi"}],"model":"m","stop_reason":"end_turn",'
    b'"usage":{"input_tokens":1,"output_tokens":2}}}}'
)
QUIRKS = {
    "azure": b'{"custom_id":"r0","response":{"status_code":200,"body":null},"error":null}',
    "bom": b"\xef\xbb\xbf" + GOOD,
    "cr": GOOD + b"\r",
    "nul": b"\x00" + GOOD,
    "nul inside": GOOD.replace(b"caf", b"c\x00f"),
    "utf-16": GOOD.decode().encode("utf-16"),
    "latin-1": GOOD.replace(b"caf", b"caf\xe9"),
    "surrogate": GOOD.replace(b"caf", b"\\ud800"),
    "NaN": GOOD.replace(b'"usage": null', b'"usage": {"prompt_tokens": NaN}'),
    "huge number": GOOD.replace(b'"usage": null', b'"usage": {"prompt_tokens": 9e999}'),
    "large number": GOOD.replace(b'"usage": null', b'"usage": {"prompt_tokens": %d}' % 10**30),
    "deep": b"[" * 100_000,
    "deep inside": GOOD.replace(b'"usage": null', b'"usage": ' + b"[" * 5000 + b"]" * 5000),
    "two objects": GOOD + GOOD,
    "no id": GOOD.replace(b"custom_id", b"customer"),
    "id of a number": GOOD.replace(b'"r0"', b"7"),
    "list": b"[1, 2]",
    "text": b'"r0"',
    "cut": GOOD[:-9],
    "anthropic": MESSAGES,
    "status as text": GOOD.replace(b"200", b'"200"'),
    "error as text": b'{"custom_id":"r0","response":null,"error":"no luck"}',
    "html": b"<html>502 Bad Gateway</html>",
}


def pieces() -> st.SearchStrategy[bytes]:
    """Good lines, quirks, cut and damaged ones, and noise."""
    samples = st.sampled_from([GOOD, MESSAGES, *QUIRKS.values()])
    cut = st.tuples(samples, st.integers(0, 200)).map(lambda pair: pair[0][: pair[1]])
    damaged = st.tuples(samples, st.integers(0, 150), st.binary(max_size=3)).map(
        lambda three: three[0][: three[1]] + three[2] + three[0][three[1] + 1 :]
    )
    return st.one_of(samples, cut, damaged, st.binary(max_size=30), st.just(b"\n"))


@pytest.mark.parametrize("style", sorted(READERS))
@settings(max_examples=200)
@given(data=pieces())
def test_a_reader_gives_a_result_or_says_that_it_cannot(style: str, data: bytes) -> None:
    try:
        result = READERS[style](data, None)
    except UnreadableLineError:
        return
    assert isinstance(result, RowResult)
    assert isinstance(result.custom_id, str)
    # What cannot be stored as UTF-8 would end the indexing later.
    f"{result.custom_id}{result.text}{result.model}{result.finish_reason}".encode()


@pytest.mark.parametrize("style", sorted(READERS))
@settings(max_examples=60, deadline=None)
@example(parts=[BOM], size=1, ended=False)
@given(parts=st.lists(pieces(), max_size=8), size=st.integers(1, 4000), ended=st.booleans())
def test_rows_in_are_rows_shown_and_rows_reported(
    style: str, parts: list[bytes], size: int, ended: bool
) -> None:
    data = b"\n".join(parts) + (b"\n" if ended else b"")
    # A byte order mark at the start belongs to the file, and to none of its lines.
    found = data.removeprefix(BOM).split(b"\n")
    lines = sum(1 for one in found if one and not one.isspace())
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexing, "_SLICE_BYTES", size)
        desk = Desk(Paths.find(Path(folder) / "home"))
        try:
            job = desk.job(["r0", "r1"])
            batch = desk.batch(job)
            file = desk.write(batch, data)
            indexer = indexing.ResultIndexer(desk.database, batch.id, file, reader=READERS[style])
            assert indexer.run(complete=True) == lines
            assert indexer.indexed == len(data)
            strays = desk.history.rows.orphan_lines(job)
            counts = desk.adds_up(job)
            shown = counts.total - counts.get(Outcome.PENDING)
            assert shown + strays.unknown + strays.duplicate + strays.unreadable == lines
        finally:
            desk.history.close()


@pytest.mark.parametrize("quirk", sorted(QUIRKS))
def test_a_quirk_costs_its_neighbours_nothing(desk: Desk, quirk: str) -> None:
    job = desk.job(["before", "r0", "r1", "after"])
    batch = desk.batch(job)
    desk.results(batch, [line("before", text="x"), QUIRKS[quirk], line("after", text="y")])
    found = desk.outcomes(job)
    assert found["before"] is found["after"] is Outcome.SUCCEEDED
    assert desk.file(batch).lines == 3
    desk.adds_up(job)


def test_a_last_line_without_an_end_is_no_row_until_the_file_is_complete(desk: Desk) -> None:
    whole = line("a", text="x") + b"\n" + line("b", text="y")
    for cut in range(len(whole) + 1):
        job = desk.job(["a", "b"])
        batch = desk.batch(job)
        desk.write(batch, whole[:cut])
        desk.index(batch)
        file = desk.file(batch)
        assert file.lines == whole[:cut].count(b"\n")
        assert file.indexed == whole[:cut].rfind(b"\n") + 1
        desk.write(batch, whole[cut:])
        desk.index(batch, complete=True)
        assert set(desk.outcomes(job).values()) == {Outcome.SUCCEEDED}


def test_a_file_that_grows_while_it_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was a cut line when it was read is whole when the next slice is."""
    whole = b"".join(line(name, text="x") + b"\n" for name in ("a", "b", "c"))
    job = desk.job(["a", "b", "c"])
    batch = desk.batch(job)
    file = desk.write(batch, whole[: len(whole) // 2])
    indexer = indexing.ResultIndexer(desk.database, batch.id, file)
    read = indexing.RowSlice.read
    slices: list[bool] = []

    def read_and_grow(self: indexing.RowSlice, *values: Any) -> bool:
        found = read(self, *values)
        if not slices:
            desk.write(batch, whole[len(whole) // 2 :])
        slices.append(found)
        return found

    monkeypatch.setattr(indexing.RowSlice, "read", read_and_grow)
    assert indexer.run(complete=False) == 3
    assert set(desk.outcomes(job).values()) == {Outcome.SUCCEEDED}
    assert desk.history.rows.orphan_lines(job).unreadable == 0
