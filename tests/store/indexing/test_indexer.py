"""Result files of any content, cut anywhere, indexed in any slices, against a simple model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk, line
from tui.core.jobs import Batch
from tui.core.rows import Outcome, outcome_rank
from tui.paths import Paths
from tui.store.indexing import indexer

ROWS = 6
SENT = [Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.REFUSED, Outcome.FAILED, Outcome.EXPIRED]
UNREADABLE = [b"{", b"null", b"\xff", b'{"id":1}', b"[" * 2000]
BLANK = [b"", b" ", b"\r", b"\t \r"]

KNOWN = st.tuples(st.integers(0, ROWS - 1), st.sampled_from(SENT))
UNKNOWN = st.integers(ROWS, ROWS + 2).map(lambda number: (number, Outcome.SUCCEEDED))
LINES = st.lists(
    KNOWN | KNOWN | KNOWN | UNKNOWN | st.sampled_from(UNREADABLE) | st.sampled_from(BLANK),
    max_size=12,
)


def as_bytes(entry: tuple[int, Outcome] | bytes) -> bytes:
    return entry if isinstance(entry, bytes) else line(f"r{entry[0]}", entry[1], "é\u2028x")


@dataclass
class Model:
    """What should be known: the best line of each batch for each row, and the strays."""

    said: dict[int, dict[int, Outcome]] = field(default_factory=dict)
    attempt: dict[int, int] = field(default_factory=dict)
    unknown: int = 0
    duplicate: int = 0
    unreadable: int = 0

    def read(self, batch: int, entry: tuple[int, Outcome] | bytes) -> None:
        if isinstance(entry, bytes):
            self.unreadable += entry not in BLANK
            return
        row, outcome = entry
        if row >= ROWS:
            self.unknown += 1
            return
        own = self.said.setdefault(row, {})
        if batch in own:
            self.duplicate += 1
        if batch not in own or outcome_rank(outcome) > outcome_rank(own[batch]):
            own[batch] = outcome

    def shown(self, row: int) -> tuple[Outcome, int]:
        said = self.said.get(row, {})
        if not said:
            return Outcome.PENDING, 1
        best = max(said, key=lambda batch: (outcome_rank(said[batch]), self.attempt[batch], batch))
        return said[best], self.attempt[best]


@contextmanager
def a_desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Paths.find(Path(folder) / "home"))
        try:
            yield desk
        finally:
            desk.history.close()


def compare(desk: Desk, job: str, model: Model) -> None:
    desk.adds_up(job)
    for row in desk.rows(job):
        assert (row.outcome, row.attempt) == model.shown(row.seq), row
    strays = desk.history.rows.orphan_lines(job)
    assert (strays.unknown, strays.duplicate, strays.unreadable) == (
        model.unknown,
        model.duplicate,
        model.unreadable,
    )
    for row in desk.rows(job):
        for attempt in desk.history.rows.get(job, row.seq).attempts:
            assert f'"custom_id": "r{row.seq}"'.encode() in attempt.line
        assert len(desk.history.rows.get(job, row.seq).attempts) == len(model.said.get(row.seq, {}))


@settings(max_examples=40)
@given(st.data())
def test_any_files_in_any_pieces(data: st.DataObject) -> None:
    """Files of several attempts grow piece by piece, in any order."""
    with pytest.MonkeyPatch.context() as patch, a_desk() as desk:
        patch.setattr(indexer, "_SLICE_BYTES", data.draw(st.integers(1, 700), label="slice"))
        job = desk.job([f"r{number}" for number in range(ROWS)])
        model = Model()
        batches: list[Batch] = []
        for number in range(data.draw(st.integers(1, 3), label="attempts")):
            seqs = None if number == 0 else range(ROWS)
            batches.append(desk.batch(job, seqs, attempt=number + 1))
            model.attempt[number] = number + 1
        entries = {
            (number, kind): data.draw(LINES, label=f"{kind} of attempt {number + 1}")
            for number in range(len(batches))
            for kind in ("output", "errors")
        }
        last_has_end = data.draw(st.booleans(), label="last line has an end")
        left = {}
        for key, lines in entries.items():
            left[key] = b"".join(as_bytes(entry) + b"\n" for entry in lines)
            if not last_has_end and lines and as_bytes(lines[-1]).strip():
                left[key] = left[key][:-1]
        read = dict.fromkeys(entries, 0)
        pieces = 0
        while left:
            key = data.draw(st.sampled_from(sorted(left)), label="next file")
            most = len(left[key])
            size = data.draw(st.integers(0, most) | st.just(most), label="bytes")
            pieces += 1
            if pieces > 12:
                size = most
            batch = batches[key[0]]
            file = desk.write(batch, left[key][:size], key[1])
            left[key] = left[key][size:]
            complete = not left[key]
            desk.index(batch, key[1], complete=complete)
            if complete:
                del left[key]
                ready = len(entries[key])
            else:
                ready = file.path.read_bytes().count(b"\n")
            for entry in entries[key][read[key] : ready]:
                model.read(key[0], entry)
            read[key] = ready
            desk.adds_up(job)
        compare(desk, job, model)


@settings(max_examples=40)
@given(LINES, LINES, st.data())
def test_a_file_that_is_fetched_from_the_start_again(
    output: list[tuple[int, Outcome] | bytes],
    errors: list[tuple[int, Outcome] | bytes],
    data: st.DataObject,
) -> None:
    with a_desk() as desk:
        job = desk.job([f"r{number}" for number in range(ROWS)])
        batch = desk.batch(job)
        desk.results(batch, map(as_bytes, output))
        desk.history.files.start_over(desk.file(batch))
        counts = desk.adds_up(job)
        assert (counts.pending, desk.history.rows.orphan_lines(job).duplicate) == (ROWS, 0)
        desk.file(batch).path.unlink()
        other = data.draw(st.permutations(output))
        desk.results(batch, map(as_bytes, other))
        desk.results(batch, map(as_bytes, errors), "errors")
        model = Model(attempt={0: 1})
        for entry in [*other, *errors]:
            model.read(0, entry)
        compare(desk, job, model)


def test_a_file_cut_at_every_byte_gives_the_same_rows() -> None:
    entries: list[tuple[int, Outcome] | bytes] = [
        (2, Outcome.FAILED),
        b"{",
        (0, Outcome.SUCCEEDED),
        b"",
        (2, Outcome.SUCCEEDED),
        (ROWS, Outcome.SUCCEEDED),
    ]
    whole = b"\n".join(as_bytes(entry) for entry in entries)
    model = Model(attempt={0: 1})
    for entry in entries:
        model.read(0, entry)
    with a_desk() as desk:
        for cut in range(0, len(whole) + 1, 7):
            job = desk.job([f"r{number}" for number in range(ROWS)])
            batch = desk.batch(job)
            desk.write(batch, whole[:cut])
            desk.index(batch)
            desk.write(batch, whole[cut:])
            desk.index(batch, complete=True)
            assert desk.index(batch, complete=True) == 0
            assert desk.file(batch).indexed == len(whole)
            compare(desk, job, model)


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_crash_between_slices_repeats_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    monkeypatch.setattr(indexer, "_SLICE_BYTES", 300)
    job = desk.job([f"r{number}" for number in range(ROWS)])
    batch = desk.batch(job)
    entries = [(number, Outcome.SUCCEEDED) for number in (0, 1, 2, 2, 3, 4, 5)]
    desk.write(batch, b"".join(as_bytes(entry) + b"\n" for entry in entries))
    slices = 0
    store = indexer.ResultIndexer._store_rows

    def crash(*arguments: object) -> None:
        nonlocal slices
        slices += 1
        store(*arguments)  # type: ignore[arg-type]
        if slices == broken:
            raise KeyboardInterrupt

    monkeypatch.setattr(indexer.ResultIndexer, "_store_rows", crash)
    with pytest.raises(KeyboardInterrupt):
        desk.index(batch, complete=True)
    desk.adds_up(job)
    desk.index(batch, complete=True)
    assert desk.adds_up(job).succeeded == ROWS
    assert desk.history.rows.orphan_lines(job).duplicate == 1
    assert slices > broken
