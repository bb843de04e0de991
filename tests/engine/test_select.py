"""Rows are selected in a thread, and what is found so far is told on the loop."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.engine.bench import Bench
from tests.fakes.loop import JumpingLoop, run
from tui.core.query import RowFilter, RowSelection
from tui.store.search import selection


def test_rows_found_so_far_are_told_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_PARTIAL_SECONDS", 0.0)
    told: list[list[int]] = []
    threads = set()

    def partial(found: RowSelection) -> None:
        told.append(list(found.seqs))
        threads.add(threading.get_ident())

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine, "hello", "world", "hello again")
            found = await engine.results.select(job.id, RowFilter(text="hello"), partial=partial)
            assert list(found.seqs) == [0, 2]
            assert told[-1] == [0, 2]
            assert threads == {threading.get_ident()}

    run(test)
