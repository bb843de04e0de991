"""A batch without counts is completed, and its output file is named four seconds later.

Right: Nothing is missing: the provider is asked for longer than a file takes to be named. (The
polls here are a hundred times as fast as those of a real provider.)
"""

from __future__ import annotations

import time

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Names the file late, and counts nothing."""

    ended_at = 0.0

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        self.ended_at = time.time()

    def view(self, batch: Json) -> Json:
        shown = super().view(batch) | {"request_counts": None}
        if time.time() - self.ended_at < 4:
            shown["output_file_id"] = None
        return shown


def test_output_named_late_without_counts(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4}, says="has not named a result file yet")
