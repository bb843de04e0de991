"""Ids of batches and files are JSON numbers, as databases count them.

Right: The result file is found; all rows are answered.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """Ids of digits, which are numbers on the wire."""

    def new(self, kind: str) -> str:
        self.number += 1
        return str(1000 + self.number)

    def upload(self, web: Web, data: bytes) -> None:
        name = self.new("file")
        self.files[name] = data
        web.json({"id": int(name), "object": "file"})

    def make(self, body: Json) -> Json:
        return super().make({**body, "input_file_id": str(body["input_file_id"])})

    def view(self, batch: Json) -> Json:
        shown = super().view(batch)
        names = ("id", "input_file_id", "output_file_id", "error_file_id")
        return shown | {name: int(shown[name]) for name in names if shown[name]}


def test_ids_of_files_are_numbers(start: Start) -> None:
    start(Server()).submit(exits=(0,), counts={"succeeded": 4})
