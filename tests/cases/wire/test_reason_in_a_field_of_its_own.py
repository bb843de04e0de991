"""A batch fails and says why in another place than ``errors``.

Seen at gateways whose failed batches have ``errors: null`` (experientiallabs/experiential 760) and
a ``failure_reason`` or ``status_message``, and at servers that list messages by line.

Right: The rows have the reason.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """The batch fails, with some fields."""

    def __init__(self, **fields: object) -> None:
        super().__init__()
        self.fields = fields

    def finish(self, batch: Json) -> None:
        batch |= {"status": "ERROR", **self.fields}


@pytest.mark.parametrize(
    "server",
    [
        Server(failure_reason="The model was withdrawn"),
        Server(status_message="The model was withdrawn"),
        Server(errors={"1": ["The model was withdrawn"]}),
        Server(errors={"model": {"message": "The model was withdrawn"}}),
    ],
)
def test_reason_in_a_field_of_its_own(start: Start, server: Server) -> None:
    case = start(server)
    case.submit(exits=(1,), counts={"failed": 4})
    case.step("results", "input", rows={"r1": {"message": "The model was withdrawn"}})
