"""The files of a batch are named while it runs, and cannot be downloaded before its end.

Reported at vllm-project/aibrix (pull request 2409).

Right: They are asked for at the end only; an error file that was named for nothing is no trouble.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Both files are named from the beginning; the one for errors is empty in the end."""

    ends_at = 3

    def make(self, body: Json) -> Json:
        batch = super().make(body)
        batch |= {"output_file_id": "file-later", "error_file_id": "file-none"}
        return batch

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        self.files |= {"file-later": self.files[batch["output_file_id"]], "file-none": b""}
        batch |= {"output_file_id": "file-later", "error_file_id": "file-none"}


def test_files_named_before_they_exist(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
    assert case.server.seen["downloads"] == 2
