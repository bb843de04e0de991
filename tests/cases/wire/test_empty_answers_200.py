"""Status 200, and no answer in the body.

On the wire: Output lines with status 200 whose bodies are `{}`, no choices, `{"detail": …}`,
and `{"code": …, "message": …, "data": null}`; one is good.

Right: Four failed with the words of the body, one succeeded, exit code 1.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider

ODD = {
    "r1": {},
    "r2": {
        "object": "chat.completion",
        "model": "m",
        "choices": [],
        "usage": {"prompt_tokens": 5, "completion_tokens": 0},
    },
    "r3": {"detail": "Not Found"},
    "r4": {
        "code": 50505,
        "message": "Model service overloaded. Please try again later.",
        "data": None,
    },
}


class Server(Provider):
    """Four rows without an answer, one with."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        name = row["custom_id"]
        if name not in ODD:
            return self.good(row), None
        return {
            "custom_id": name,
            "response": {"status_code": 200, "body": ODD[name]},
            "error": None,
        }, None


def test_empty_answers_200(start: Start) -> None:
    case = start(Server(), "r1", "r2", "r3", "r4", "r5")
    case.submit(exits=(1,), counts={"succeeded": 1, "failed": 4})
    case.step(
        "results",
        "input",
        rows={
            "r1": {"outcome": "failed"},
            "r2": {"outcome": "failed"},
            "r3": {"outcome": "failed", "message": "Not Found"},
            "r4": {"outcome": "failed", "message": "overloaded"},
            "r5": {"outcome": "succeeded"},
        },
    )
