"""The output holds the messages that were sent and no answer, with status 200.

Reported at vllm-project/aibrix (issue 1802): "completed successfully but model responses are
empty".

Right: These rows failed; they are not silent successes.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """The body of a result is that of the request."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        response = {"status_code": 200, "body": row["body"]}
        return {"custom_id": row["custom_id"], "response": response, "error": None}, None


def test_the_request_comes_back(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(1,), counts={"failed": 4})
    case.step("results", "input", rows={"r1": {"message": "No answer in the response"}})
