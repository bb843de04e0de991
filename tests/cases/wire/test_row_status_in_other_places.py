"""The status of failed rows as text, or as the code of the error.

On the wire: `"status_code": "429"`; `error.code` 503, `"429"`, and 400 inside a body with
status 200.

Right: The first three pass, the last does not.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Four ways to say 429, 503, 400."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        name = row["custom_id"]
        lines = {
            "r1": {
                "response": {"status_code": "429", "body": {"error": {"message": "Slow down"}}},
                "error": None,
            },
            "r2": {"response": None, "error": {"code": 503, "message": "Upstream is away"}},
            "r3": {"response": None, "error": {"code": "429", "message": "Slow down"}},
            "r4": {
                "response": {
                    "status_code": 200,
                    "body": {"error": {"message": "Bad field", "code": 400}},
                },
                "error": None,
            },
        }
        return None, {"custom_id": name, **lines[name]}


def test_row_status_in_other_places(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(1,))
    case.step(
        "results",
        "input",
        rows={
            "r1": {"outcome": "failed", "retryable": True},
            "r2": {"outcome": "failed", "retryable": True},
            "r3": {"outcome": "failed", "retryable": True},
            "r4": {"outcome": "failed", "retryable": False},
        },
    )
