"""Ids of files and batches have 1,500 characters.

LiteLLM's managed files put the route, all target models and the ids behind it into one id, in
base 64 (BerriAI/litellm, pull requests 10713 and 36034).

Right: The batch is created, found by its id, and its results are read.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider


class Server(Provider):
    """Ids as LiteLLM's."""

    def new(self, kind: str) -> str:
        return f"{super().new(kind)}-{'bGl0ZWxs' * 190}"


def test_ids_that_are_long(start: Start) -> None:
    start(Server()).submit(exits=(0,), counts={"succeeded": 4})
