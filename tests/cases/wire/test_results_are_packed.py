"""The result file is a gzip file, an array, or one indented object, without a word in its headers.

Object stores hand out what a server put into them; seen behind LiteLLM's managed files and at
self-hosted servers (BerriAI/litellm, pull request 37573).

Right: It is read.
"""

from __future__ import annotations

import gzip
import json

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """Packs each download as ``pack`` says."""

    pack = staticmethod(gzip.compress)

    def content(self, web: Web, name: str) -> None:
        web.send(self.pack(self.files[name]), "application/octet-stream")


def as_array(lines: bytes) -> bytes:
    return json.dumps([json.loads(line) for line in lines.splitlines()], indent=1).encode()


def test_results_are_packed(start: Start) -> None:
    server = Server()
    case = start(server)
    case.submit(exits=(0,), counts={"succeeded": 4, "missing": 0})
    server.pack = as_array
    case.submit(exits=(0,), counts={"succeeded": 4, "missing": 0})
