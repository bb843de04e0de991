"""Every row failed: the batch is completed, has an error file and no output file.

Reported at BerriAI/litellm (issue 33987) and ProjectTech4DevAI/kaapi-backend (issue 723); the
errors are in ``response.body.error`` with ``error: null`` (openai/openai-openapi, issue 302).

Right: It ends at once, and the words of the rows are there.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """OpenAI's 400 for each row."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        error = {
            "message": "max_tokens is too large: 1000000.",
            "type": "invalid_request_error",
            "param": "max_tokens",
            "code": "invalid_value",
        }
        response = {"status_code": 400, "request_id": "q", "body": {"error": error}}
        return None, {"custom_id": row["custom_id"], "response": response, "error": None}


def test_all_rows_failed(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(1,), counts={"failed": 4, "missing": 0})
    right = {"message": "max_tokens is too large", "retryable": False, "http_status": 400}
    case.step("results", "input", rows={"r4": right})
