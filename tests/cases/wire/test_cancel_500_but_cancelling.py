"""A cancel is answered with 500, and the batch is cancelling.

On the wire: `POST …/cancel` sets `cancelling` and answers 500. A second one answers 400: cannot
be cancelled in this status.

Right: "cancelling", exit code 0, both times.
"""

from __future__ import annotations

import time

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """The cancel is noted, and then something breaks."""

    ends_at = 9999

    def cancel(self, web: Web, batch: Json) -> None:
        if batch["status"] == "cancelling":
            return web.json(
                {"error": {"message": "Batch in status cancelling cannot be cancelled."}}, 400
            )
        batch["status"], batch["cancelled_from"] = "cancelling", time.time()
        web.json({"error": {"message": "could not notify the workers"}}, 500)

    def advance(self, batch: Json) -> None:
        if batch["status"] != "cancelling":
            return super().advance(batch)
        if time.time() - batch["cancelled_from"] > 8:
            self.finish(batch)
            batch["status"] = "cancelled"


@pytest.mark.slow
def test_cancel_500_but_cancelling(start: Start) -> None:
    case = start(Server())
    case.step("submit", "{input}", "-y", exits=(0,))
    case.step("cancel", "input", "-y", exits=(0,), says="cancelling")
    case.step("cancel", "input", "-y", exits=(0,))
