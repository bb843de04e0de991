"""Rows that failed with an HTTP error are in the output file, a page of a proxy among them.

Reported at llm-d/llm-d-batch-gateway (pull request 261).

Right: They failed, with their status; the counts of the batch do not matter.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """One file for all rows."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        line = self.good(row)
        bodies = {
            "r2": (429, {"error": {"message": "Slow down", "type": "rate_limit_error"}}),
            "r3": (502, {}),
            "r4": (400, {"object": "error", "message": "Bad field", "code": 400}),
        }
        if row["custom_id"] in bodies:
            status, body = bodies[row["custom_id"]]
            line["response"] = {"status_code": status, "body": body}
        return line, None


def test_errors_in_the_output_file(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(1,), counts={"succeeded": 1, "failed": 3})
    rows = {
        "r2": {"http_status": 429, "retryable": True, "message": "Slow down"},
        "r3": {"http_status": 502, "retryable": True},
        "r4": {"http_status": 400, "retryable": False, "message": "Bad field"},
    }
    case.step("results", "input", rows=rows)
