"""The status of a batch stays ``in_progress`` although it has ended.

Gateways that keep a copy of the batch object (LiteLLM's managed batches) update the files, the
counts and ``completed_at`` without the status.

Right: The evidence is put together: the results are collected, and the job ends.
"""

from __future__ import annotations

import time

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """An ended batch has everything but the word."""

    def view(self, batch: Json) -> Json:
        shown = super().view(batch)
        if shown["status"] == "completed":
            shown |= {"status": "in_progress", "completed_at": int(time.time())}
        return shown


def test_status_stays_in_progress(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
