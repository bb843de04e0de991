"""A batch ends as `done`.

On the wire: The last status is `done`, with 4 of 4 counted, `completed_at`, and an output file.

Right: Collected, exit code 0. At the least: the word `done` is shown, with a hint to
`status_map`.
"""

from __future__ import annotations

import time

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Ends with a word of its own."""

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        batch["status"], batch["completed_at"] = "done", int(time.time())


@pytest.mark.slow
def test_status_word_done(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
