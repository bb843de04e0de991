"""failed: model_not_found, without a line.

On the wire: `failed` with one error: code `model_not_found`, no line.

Right: The rows cannot succeed unchanged: `retry` says so (exit code 2), as it does for the same
code in a row.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """The batch fails as a whole."""

    def finish(self, batch: Json) -> None:
        issue = {
            "code": "model_not_found",
            "message": "The model m is not supported by the Batch API.",
            "line": None,
            "param": None,
        }
        batch["status"], batch["errors"] = "failed", {"object": "list", "data": [issue]}


def test_batch_failed_model_not_found(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(1,))
    case.step("results", "input", rows={"r1": {"outcome": "failed", "retryable": False}})
    case.step("retry", "input", "--dry-run", exits=(2,))
