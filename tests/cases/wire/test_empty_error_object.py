"""Every good line carries an error object with nothing in it.

On the wire: Status 200 and a whole completion, beside `"error": {"code": "", "message": ""}`,
the same with nulls, and with code 0.

Right: Four succeeded.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Servers written in Go send a struct where others send null."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        empty = {
            "r1": {"code": "", "message": ""},
            "r2": {"code": None, "message": None},
            "r3": {"code": 0, "message": "", "param": None},
        }
        return self.good(row) | {"error": empty.get(row["custom_id"])}, None


def test_empty_error_object(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4, "failed": 0})
