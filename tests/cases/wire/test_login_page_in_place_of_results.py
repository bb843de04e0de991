"""For a while the results are a login page of a proxy, with status 200.

Kind of reports at openai/openai-python and of companies' proxies.

Right: No row is called missing; what came is said; when the file is back, it is read.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """The first two downloads are a page."""

    def content(self, web: Web, name: str) -> None:
        if self.seen["downloads"] > 2:
            super().content(web, name)
        else:
            web.send(b"<html><title>Sign in to Corp</title></html>", "text/html")


def test_login_page_in_place_of_results(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4, "missing": 0})
