"""Completed, and the output file is named six seconds later.

On the wire: The batch is `completed` with 4 of 4 done while `output_file_id` is null; six
seconds later the id is there. (At a real provider: minutes; the polls here are a hundred times
as fast.)

Right: At the latest `retry` looks again, finds the file, and sends nothing: one create in all.
"""

from __future__ import annotations

import time

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """The output file of the first batch is named six seconds after its end."""

    def view(self, batch: Json) -> Json:
        shown = super().view(batch)
        is_first = batch["id"] == next(iter(self.batches))
        if batch["status"] == "completed" and is_first and time.time() - batch["ended"] < 6:
            shown["output_file_id"] = None
        return shown

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        batch["ended"] = time.time()


@pytest.mark.slow
def test_late_output_then_retry(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0, 1, 3))
    case.step("retry", "input", "--wait", "--json", "-y", after=7)
    case.step(
        "results",
        "input",
        rows={"r1": {"outcome": "succeeded", "text": "answer r1"}, "r4": {"outcome": "succeeded"}},
    )
    assert case.server.seen["creates"] == 1
    assert case.server.seen["rows"] == 4
