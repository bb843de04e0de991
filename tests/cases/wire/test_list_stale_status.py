"""The list of batches goes on saying validating after they have completed.

On the wire: A gateway keeps batches in a database of its own. `GET /batches/ID` asks the
upstream, `GET /batches` reads the database, where every batch stays `validating`. Ten rows, two
to a batch.

Right: All five parts end and all ten rows are here; it does not matter how the client finds
out.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """The list is read from a store that only a look at the single batch refreshes."""

    def list(self, web: Web) -> None:
        for batch in self.batches.values():
            if batch["status"] != "completed":
                self.advance(batch)
        stale = {
            "status": "validating",
            "output_file_id": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }
        web.json(
            {
                "object": "list",
                "has_more": False,
                "data": [self.view(b) | stale for b in self.batches.values()],
            }
        )


@pytest.mark.slow
def test_list_stale_status(start: Start) -> None:
    case = start(
        Server(),
        "r1",
        "r2",
        "r3",
        "r4",
        "r5",
        "r6",
        "r7",
        "r8",
        "r9",
        "r10",
        profile="[providers.tried.limits]\nrows = 2",
    )
    case.submit(exits=(0,), counts={"total": 10, "succeeded": 10})
