"""A job that was made from a file has its answers inside it, without keys, in another order.

Reported at googleapis/python-genai (issue 1909: inline answers come in any order, and their
metadata is dropped on the way) and maximhq/bifrost (issue 3951: answers are inside the job though
the rows were in a file).

Right: An answer without a key is nobody's, whatever ids the rows have; with one it is its row's.
No row is said to have had no answer, and none is sent again unasked.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.gemini import BASE_URL, Gemini
from tests.cases.wire.provider import Json


class Inline(Gemini):
    """The answers come in reverse.

    Args:
        keyed: Whether they have keys.
    """

    def __init__(self, *, keyed: bool) -> None:
        super().__init__()
        self.has_keys = keyed

    def output(self, batch: Json) -> Json:
        items = []
        for row in reversed(self.keyed(batch)):
            line = self.line(row)
            assert line is not None
            key = {"metadata": {"key": row["key"]}} if self.has_keys else {}
            items.append({**key, "response": line["response"]})
        return {"inlinedResponses": {"inlinedResponses": items}}


IDS = ("request-0", "request-1", "request-2")


def test_answers_without_keys_are_nobodys(start: Start) -> None:
    case = start(Inline(keyed=False), *IDS, base="gemini", base_url=BASE_URL)
    case.submit(exits=(1,), counts={"succeeded": 0, "missing": 3})
    right = {"outcome": "missing", "retryable": False, "message": "counts 3 answers"}
    case.step("results", "input", rows=dict.fromkeys(IDS, right))


def test_answers_with_keys_are_their_rows(start: Start) -> None:
    case = start(Inline(keyed=True), *IDS, base="gemini", base_url=BASE_URL)
    case.submit(exits=(0,), counts={"succeeded": 3})
    right = {name: {"outcome": "succeeded", "text": f"^answer {name}$"} for name in IDS}
    case.step("results", "input", rows=right)
