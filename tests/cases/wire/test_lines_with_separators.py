"""Result lines have more around their object, or their id under another name.

Record separators of JSON sequences (RFC 7464), the comma of an array, and ``id`` in place of
``custom_id``.

Right: All rows are answered.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Each line is written in another way; the last one is only its object."""

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        name = batch["output_file_id"]
        first, second, third, last = self.files[name].splitlines()
        third = third.replace(b'"custom_id"', b'"id"', 1)
        self.files[name] = b"\x1e%s\n%s,\n%s\n%s\n" % (first, second, third, last)


def test_lines_with_separators(start: Start) -> None:
    start(Server()).submit(exits=(0,), counts={"succeeded": 4})
