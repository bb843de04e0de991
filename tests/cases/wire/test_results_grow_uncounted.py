"""A batch has ended, its result file is still being written, and no counts tell how much lacks.

Seen at LiteLLM (BerriAI/litellm 37713: the file of a batch lags behind its status). A gateway that
counts nothing, or later than it says "completed", would do the same.

Right: Rows are not called missing before the file was fetched again; all are answered.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web

STALE = {"total": 4, "completed": 2, "failed": 0}


class Server(Provider):
    """The first downloads have a part of the rows."""

    def __init__(self, counts: Json | None, lines: int, status: int = 200) -> None:
        super().__init__()
        self.counts, self.lines, self.status = counts, lines, status

    def view(self, batch: Json) -> Json:
        counts = {"request_counts": self.counts} if batch["status"] == "completed" else {}
        return super().view(batch) | counts

    def content(self, web: Web, name: str) -> None:
        if self.seen["downloads"] > 2:
            super().content(web, name)
        else:
            lines = self.files[name].splitlines(keepends=True)
            web.send(b"".join(lines[: self.lines]), "application/jsonl", self.status)


@pytest.mark.parametrize("server", [Server(None, 2), Server(STALE, 2), Server(None, 0),
                                    Server(None, 0, 204)])  # fmt: skip
def test_results_grow_uncounted(start: Start, server: Server) -> None:
    start(server).submit(exits=(0,), counts={"succeeded": 4, "missing": 0})


class Ended(Provider):
    """The batch ended early without counts, and its file is named two looks later."""

    def __init__(self, status: str) -> None:
        super().__init__()
        self.status, self.shown = status, 0

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        name = batch["output_file_id"]
        self.files[name] = b"".join(self.files[name].splitlines(keepends=True)[:2])
        batch |= {"status": self.status, "request_counts": None}

    def view(self, batch: Json) -> Json:
        shown = super().view(batch)
        if batch["status"] == self.status:
            self.shown += 1
            if self.shown < 3:
                shown["output_file_id"] = None
        return shown


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_results_of_an_early_end_are_named_late(start: Start, status: str) -> None:
    start(Ended(status)).submit(exits=(1,), counts={"succeeded": 2, status: 2})
