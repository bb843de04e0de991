"""A poll says ``failed`` without a reason, and the batch goes on.

A gateway may say so while the server behind it restarts.

Right: The batch is looked at again before its rows are failed; all are answered.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """The second poll says that the batch failed."""

    def get(self, web: Web, batch: Json) -> None:
        if self.seen["polls"] == 2:
            web.json(self.view(batch) | {"status": "failed"})
        else:
            super().get(web, batch)


def test_failed_for_a_moment(start: Start) -> None:
    start(Server()).submit(exits=(0,), counts={"succeeded": 4})
