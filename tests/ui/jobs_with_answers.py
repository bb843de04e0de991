"""Jobs with answers to look at as wholes, in a real history."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.store.bench import Desk, line
from tests.ui.fakes import FakeEngine
from tui.core.jobs import BatchStatus
from tui.core.rows import Outcome
from tui.engine.results import Results
from tui.paths import Paths
from tui.progress import NO_PROGRESS
from tui.store.history import History
from tui.store.job_records import batch_pk, update_batch
from tui.store.rows.comparison import Comparison

LABELS = ("positive", "negative", "positive", "neutral", "mixed")


def answer(number: int, label: str = "") -> str:
    why = " ".join(
        ("fast", "delivery", "the", "price")[(number + n) % 4] for n in range(number % 9)
    )
    return json.dumps({"label": label or LABELS[number % len(LABELS)], "why": why})


def add_job(desk: Desk, name: str, answers: Mapping[str, str | None]) -> str:
    """A job that has ended: an answer for each id, ``None`` for one that failed."""
    job = desk.job(list(answers), name=name)
    batch = desk.batch(job)
    desk.results(
        batch,
        [
            line(id, Outcome.FAILED, "rate limit")
            if text is None
            else line(id, text=text, prompt_tokens=20, completion_tokens=len(text) // 4)
            for id, text in answers.items()
        ],
    )
    with desk.database.write() as connection:
        update_batch(
            connection,
            batch.id,
            {
                "status": BatchStatus.COMPLETED,
                "collected": True,
                "submitted_at": 100.0,
                "ended_at": 160.0,
            },
        )
        pk, _ = batch_pk(connection, batch.id)
        connection.executemany(
            "INSERT INTO samples VALUES (?,?,?)",
            [(pk, 100.0 + second, second * len(answers) // 60) for second in range(0, 61, 5)],
        )
    return job


def two_jobs(paths: Paths, rows: int = 40) -> tuple[str, str]:
    """Two jobs of nearly the same requests; the second is the newer one."""
    desk = Desk(paths)
    try:
        first: dict[str, str | None] = {f"r{n:04}": answer(n) for n in range(rows)}
        first["r0003"] = None
        second = {id: text for id, text in first.items() if id != "r0001"}
        second |= {"r0002": answer(2, "angry"), "x1": "plain words", "r0003": answer(3)}
        return add_job(desk, "small model", first), add_job(desk, "large model", second)
    finally:
        desk.history.close()


class ReadingEngine(FakeEngine):
    """An engine on a real history that reads but does nothing else."""

    def __init__(self, paths: Paths) -> None:
        history = History(paths)
        super().__init__(paths, history=history)  # type: ignore[arg-type]
        self._real = history
        self._results = Results(SimpleNamespace(history=history))  # type: ignore[arg-type]

    async def summary(self, *values: Any, **named: Any) -> Any:
        return await self._results.summary(*values, **named)

    async def compare(self, *values: Any, **named: Any) -> Comparison:
        return await self._results.compare(*values, **named)

    async def columns(self, *values: Any, **named: Any) -> Any:
        return await self._results.columns(*values, **named)

    async def evaluate(self, *values: Any, **named: Any) -> Any:
        return await self._results.evaluate(*values, **named)

    async def close(self) -> None:
        self._real.close()


def gate(monkeypatch: Any, target: str) -> tuple[Callable[[], None], list[int]]:
    """Let a function of the store wait in its thread until it is let go.

    Returns:
        What lets it go, and a list that gets an entry each time the function begins.
    """
    import threading

    go = threading.Event()
    begun: list[int] = []
    module, _, name = target.rpartition(".")
    owner = __import__(module, fromlist=[name])
    real = getattr(owner, name)

    def waiting(*values: Any, **named: Any) -> Any:
        begun.append(1)
        progress = named.get("progress", NO_PROGRESS)
        while not go.wait(0.01) and not progress.stopped:
            pass
        return real(*values, **named)

    monkeypatch.setattr(target, waiting)
    return go.set, begun


def files_of(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name != "home")
