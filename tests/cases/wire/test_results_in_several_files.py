"""``output_file_id`` is a list: the results are in several files.

Right: The rows of all files are answered. While one of the files is not there, its rows are not
called missing, and nothing says that they can be sent again.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """The output file is cut in two; the second one may come late.

    Args:
        objects: Whether the list has objects instead of ids.
        late: How many downloads of the second file are answered with 404.
    """

    def __init__(self, *, objects: bool = False, late: int = 0) -> None:
        super().__init__()
        self.objects, self.late = objects, late

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        lines = self.files.pop(batch["output_file_id"]).splitlines(keepends=True)
        # The first one has no line end at its end.
        self.files |= {"part-a": b"".join(lines[:2]).rstrip(), "part-b": b"".join(lines[2:])}
        names = ["part-a", "part-b"]
        batch["output_file_id"] = [{"id": name} for name in names] if self.objects else names

    def content(self, web: Web, name: str) -> None:
        self.seen[name] += 1
        if name == "part-b" and self.seen[name] <= self.late:
            web.json({"error": {"message": "No such File object: part-b"}}, 404)
        else:
            super().content(web, name)


@pytest.mark.parametrize("server", [Server(), Server(objects=True), Server(late=3)])
def test_results_in_several_files(start: Start, server: Server) -> None:
    case = start(server)
    case.submit(exits=(0,), counts={"succeeded": 4, "missing": 0}, says_not='missing [^"]*retry')
    assert server.seen["creates"] == 1
