"""An error file is named and does not exist; all rows are answered.

On the wire: 4 of 4 done; `error_file_id` names a file whose content is 404.

Right: Over at once (or after a second look): nothing is open.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Both files are named, whatever happens."""

    def finish(self, batch: Json) -> None:
        super().finish(batch)
        batch["error_file_id"] = "file-never-written"


@pytest.mark.slow
def test_error_file_404_all_answered(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
