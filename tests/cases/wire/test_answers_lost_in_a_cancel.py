"""A cancelled batch counts answers that its files do not have, and has its other rows twice.

Reported at llm-d/llm-d-batch-gateway (issue 504): 5 completed and 20 failed; each of the 20 has a
line in the output file and one in the error file, and the 5 have none. Issue 221 there: rows that
were counted as failed have no line either.

Right: The rows without a line may have been answered and charged: they are not offered for a
retry. Where only failures lack, the rows can be sent again.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider

IDS = ("r1", "r2", "r3", "r4", "r5")


class Server(Provider):
    """The batch ends as cancelled while it runs.

    Args:
        lines: The rows with an error line.
        answered: Those with an answer.
        counts: Completed and failed rows, as the server counts them.
    """

    def __init__(self, lines: set[str], answered: set[str], counts: tuple[int, int]) -> None:
        super().__init__()
        self.lines, self.answered, self.counts = lines, answered, counts

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        name = row["custom_id"]
        error = {"code": "batch_cancelled", "message": "This batch was cancelled."}
        line = {"custom_id": name, "response": None, "error": error}
        if name in self.answered:
            return self.good(row), None
        return (line, line) if name in self.lines else (None, None)

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        completed, failed = self.counts
        counts = {"total": len(IDS), "completed": completed, "failed": failed}
        batch |= {"status": "cancelled", "request_counts": counts}


def test_answers_are_lost(start: Start) -> None:
    case = start(Server({"r3", "r4", "r5"}, set(), (2, 3)), *IDS)
    case.submit(exits=(1,), counts={"succeeded": 0})
    lost = {"retryable": False, "message": "counts 2 answers that its result files do not have"}
    case.step("results", "input", rows={"r1": lost, "r2": lost, "r3": {"outcome": "cancelled"}})


def test_only_failures_lack(start: Start) -> None:
    case = start(Server({"r3"}, {"r1", "r2"}, (2, 3)), *IDS)
    case.submit(exits=(1,), counts={"succeeded": 2})
    right = {"outcome": "cancelled", "retryable": True}
    case.step("results", "input", rows=dict.fromkeys(("r3", "r4", "r5"), right))
