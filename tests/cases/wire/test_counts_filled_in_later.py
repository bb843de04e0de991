"""An ended batch counts no row at all and names no file; both come some looks later.

Reports of OpenAI's batches with ``request_counts`` of zeros, and of servers that fill the fields of
a batch in one after another (tidyverse/ellmer, pull request 926, keeps polling for the file).

Right: Counts of zeros are no counts: no row is called missing or expired, which would offer it for
a retry, before the file was looked for as long as for that of a batch without counts.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """The first looks at the ended batch show neither counts nor files."""

    def __init__(self, status: str, looks: int) -> None:
        super().__init__()
        self.status, self.looks = status, looks

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        batch["status"] = self.status

    def view(self, batch: Json) -> Json:
        shown = super().view(batch)
        if batch["status"] == self.status and self.looks:
            self.looks -= 1
            counts = {"total": 0, "completed": 0, "failed": 0}
            shown |= {"request_counts": counts, "output_file_id": None}
        return shown


@pytest.mark.parametrize(("status", "looks"), [("completed", 4), ("expired", 2)])
def test_counts_filled_in_later(start: Start, status: str, looks: int) -> None:
    case = start(Server(status, looks))
    case.submit(exits=(0,), counts={"succeeded": 4, "missing": 0})
