"""Ids of batches and files have a slash, and the server knows them only as they are.

Gateways hand on ids of Google and of Bedrock (``projects/p/…``), and many servers do not decode
``%2F`` in a path.

Right: The batch is found and its results are read; a server that decodes gets them escaped.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """Ids have a slash.

    Args:
        decodes: Paths are decoded; else an escaped slash is not known.
    """

    def __init__(self, *, decodes: bool) -> None:
        super().__init__()
        self.decodes = decodes

    def new(self, kind: str) -> str:
        return f"projects/p/{super().new(kind)}"

    def answer(self, web: Web, method: str, path: str, data: bytes) -> None:
        if ("%2F" in path and not self.decodes) or ("/projects/p/" in path and self.decodes):
            web.json({"detail": "Not Found"}, 404)
        else:
            super().answer(web, method, path.replace("/projects/p/", "/projects%2Fp%2F"), data)


@pytest.mark.parametrize("decodes", [True, False])
def test_ids_with_a_slash(start: Start, decodes: bool) -> None:
    case = start(Server(decodes=decodes))
    case.submit(exits=(0,), counts={"succeeded": 4}, timeout=60)
