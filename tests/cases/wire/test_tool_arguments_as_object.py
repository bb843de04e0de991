"""Tool calls whose arguments are an object.

On the wire: `function.arguments` is `{"city": "Turin"}` in place of a text.

Right: `book({"city": "Turin"})`.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Arguments as an object in place of text."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        line = self.good(row)
        call = {
            "id": "1",
            "type": "function",
            "function": {"name": "book", "arguments": {"city": "Turin"}},
        }
        choice = line["response"]["body"]["choices"][0]
        choice["message"], choice["finish_reason"] = (
            {"role": "assistant", "content": None, "tool_calls": [call]},
            "tool_calls",
        )
        return line, None


def test_tool_arguments_as_object(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
    case.step("results", "input", rows={"r1": {"text": "Turin"}})
