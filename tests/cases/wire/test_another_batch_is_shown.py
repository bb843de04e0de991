"""A cache in front of the provider answers with another batch of the account.

A cache whose keys are coarse, or given by the caller, would do so. The other batch has ended, and
its rows have the same ids.

Right: Its answers are not taken for those of this batch.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """Two polls show another batch of the same program."""

    def get(self, web: Web, batch: Json) -> None:
        if self.seen["polls"] not in (2, 3):
            super().get(web, batch)
            return
        lines = [self.good(row) for row in self.rows(batch)]
        for line in lines:
            line["response"]["body"]["choices"][0]["message"]["content"] = "of another batch"
        web.json(
            self.view(batch)
            | {
                "id": "batch-999",
                "input_file_id": "file-999",
                "metadata": {"batchdeck_batch": "another"},
                "status": "completed",
                "output_file_id": self.keep(lines),
                "request_counts": {"total": 4, "completed": 4, "failed": 0},
            }
        )


def test_another_batch_is_shown(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), says="batch-999, which is another one")
    case.step("results", "input", says_not="of another batch", rows={"r1": {"text": "answer r1"}})


class Gateway(Provider):
    """A gateway that shows the id of the server behind it, as LiteLLM does for a while."""

    def get(self, web: Web, batch: Json) -> None:
        self.advance(batch)
        web.json(self.view(batch) | {"id": "batch-of-the-server"})


def test_a_batch_has_two_ids(start: Start) -> None:
    start(Gateway()).submit(exits=(0,), counts={"succeeded": 4})
