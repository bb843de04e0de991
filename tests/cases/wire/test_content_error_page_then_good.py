"""File content is a 200 with an error in it, and good some time later.

On the wire: `GET /files/ID/content` answers 200 `{"error": {…}}` for fifteen seconds, then the
rows.

Right: The words of the answer are shown; the job is not closed as if the rows did not exist, or
`collect` mends it.
"""

from __future__ import annotations

import time

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """For fifteen seconds the content of a result file is an error, with status 200."""

    def content(self, web: Web, name: str) -> None:
        ended = [b for b in self.batches.values() if b["output_file_id"] == name]
        if ended and time.time() - ended[0]["made"] < 15:
            return web.json(
                {"error": {"message": "Storage is having a bad day", "type": "server_error"}}
            )
        return super().content(web, name)


@pytest.mark.slow
def test_content_error_page_then_good(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0, 1, 3), says="bad day")
    case.step("collect", "input", "--json", after=16)
    case.step("show", "input", "--json", counts={"succeeded": 4, "missing": 0})
