"""The create answers 404 for six seconds after the upload.

On the wire: `POST /batches` answers 404 `{"detail": "Input file not found"}` until the file is
six seconds old.

Right: Tried again with the same file; four rows.
"""

from __future__ import annotations

import time

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """A file is known six seconds after its upload."""

    def upload(self, web: Web, data: bytes) -> None:
        super().upload(web, data)
        self.uploaded = time.time()

    def create(self, web: Web, body: Json) -> None:
        if time.time() - self.uploaded < 6:
            return web.json({"detail": "Input file not found"}, 404)
        super().create(web, body)


@pytest.mark.slow
def test_create_404_file_not_known_yet(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
    assert case.server.seen["uploads"] == 1
    assert case.server.seen["creates"] == 1
