"""A create is lost, and the list of batches stops before it has shown all of them.

On the wire: The second create makes the batch and answers 504. The first page of the list shows
older batches and says that there are more; the page after it is empty and says so too
(BerriAI/litellm, pull request 38738), or is the first one again (issue 37150).

Right: The list does not prove that the batch is absent, so it is not created again.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """The list shows the first batch only.

    Args:
        repeats: The second page is the first one again; else it is empty.
    """

    def __init__(self, *, repeats: bool) -> None:
        super().__init__()
        self.repeats = repeats

    def create(self, web: Web, body: Json) -> None:
        batch = self.make(body)
        if self.seen["creates"] == 2:
            return web.send(b"504 Gateway Time-out", "text/plain", 504)
        web.json(self.view(batch))

    def list(self, web: Web) -> None:
        first = self.view(next(iter(self.batches.values())))
        shown = [] if "after=" in web.path and not self.repeats else [first]
        web.json({"object": "list", "data": shown, "has_more": True})


@pytest.mark.parametrize("repeats", [False, True])
def test_list_without_an_end(start: Start, repeats: bool) -> None:
    case = start(Server(repeats=repeats), profile="confirm_seconds = 1\n")
    case.submit(exits=(0,))
    case.step(
        "submit",
        "{input}",
        "--wait",
        "-y",
        exits=(3,),
        says=r"(?s)may or may not have received the batch.*--resend",
    )
    assert case.server.seen["creates"] == 2
