"""A batch ends with a word that is not in any profile, and counts nothing.

Right: A word that can only mean an end ends it: the named file is fetched, or its rows are over.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Ends with a word of its own.

    Args:
        word: The word.
        names: Whether it names a result file.
    """

    def __init__(self, word: str, *, names: bool) -> None:
        super().__init__()
        self.word = word
        self.names = names

    def finish(self, batch: Json) -> None:
        if self.names:
            super().finish(batch)
        batch |= {"status": self.word, "request_counts": None}


@pytest.mark.parametrize(
    ("word", "names", "counts"),
    [("ended", True, {"succeeded": 4}), ("Deleted", False, {"cancelled": 4})],
)
def test_ended_without_counts(start: Start, word: str, names: bool, counts: dict[str, int]) -> None:
    case = start(Server(word, names=names))
    case.submit(exits=(0, 1), counts=counts, timeout=60)
