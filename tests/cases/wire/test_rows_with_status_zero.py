"""Rows that were not answered have status 0 and an empty body, and the counts say all is well.

Reported at tidyverse/ellmer (issue 830) of OpenAI: ``request_counts`` 1,000 completed, 0 failed,
while an error file has lines ``{"status_code": 0, "request_id": "", "body": {}}, "error": null``.

Right: These rows failed, and a retry can help.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Two of four rows are in the error file, with status 0; the counts do not know."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        if row["custom_id"] in ("r1", "r3"):
            return self.good(row), None
        response = {"status_code": 0, "request_id": "", "body": {}}
        return None, {"custom_id": row["custom_id"], "response": response, "error": None}

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        batch["request_counts"] = {"total": 4, "completed": 4, "failed": 0}


def test_rows_with_status_zero(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(1,), counts={"succeeded": 2, "failed": 2})
    case.step("results", "input", rows={"r2": {"outcome": "failed", "retryable": True}})
