"""The provider forgets a batch that ran.

On the wire: Two looks at the batch work, then `GET /batches/ID` is 404 for good.

Right: With polls every 0.2 to 0.5 s and no more grace than two seconds the waiting ends within
a minute and a half, with exit code 3 (or 1), and with the advice to cancel.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """After two looks the batch is unknown."""

    ends_at = 99

    def get(self, web: Web, batch: Json) -> None:
        if batch["polls"] >= 2:
            return web.json({"error": {"message": "No batch found with that id."}}, 404)
        super().get(web, batch)


@pytest.mark.slow
def test_batch_gone_404(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(1, 3), says="cancel")
