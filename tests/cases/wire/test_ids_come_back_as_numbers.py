"""custom_id is a number in the output.

On the wire: Rows are sent as `"101"` … and come back as `101` ….

Right: Four succeeded.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Ids of digits come back as numbers."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        return self.good(row) | {"custom_id": int(row["custom_id"])}, None


def test_ids_come_back_as_numbers(start: Start) -> None:
    case = start(Server(), "101", "102", "103", "104")
    case.submit(exits=(0,), counts={"succeeded": 4, "missing": 0})
