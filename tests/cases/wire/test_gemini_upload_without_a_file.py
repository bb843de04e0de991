"""The last answer of an upload names no file, now and then.

Reported at googleapis/python-genai (issues 1248 and 1590): status 200, and no ``file`` in it.

Right: The file is sent again, which costs nothing, and one batch is created.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.gemini import BASE_URL, Gemini
from tests.cases.wire.provider import Web


class Server(Gemini):
    """The first upload is answered with an empty object."""

    def take(self, web: Web, data: bytes) -> None:
        if self.seen["uploads"] == 1:
            web.json({}, 200, self.headers("final"))
        else:
            super().take(web, data)


def test_gemini_upload_without_a_file(start: Start) -> None:
    case = start(Server(), base="gemini", base_url=BASE_URL)
    case.submit(exits=(0,), counts={"succeeded": 4})
    assert case.server.seen["creates"] == 1
