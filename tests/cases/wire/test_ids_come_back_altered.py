"""The server writes ids in another form: in lower case, without blanks or zeros, or cut.

Right: A line that can only be one row's is that row's answer. Where two rows, or two lines, could
be meant, nobody gets it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """Every id comes back altered; the answer has the one that was sent.

    Args:
        alter: Makes the id of a result line.
    """

    def __init__(self, alter: Callable[[str], object]) -> None:
        super().__init__()
        self.alter = alter

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        return self.good(row) | {"custom_id": self.alter(row["custom_id"])}, None


@pytest.mark.parametrize(
    ("alter", "ids"),
    [
        (str.lower, ("Row-A", "Row-B", "row-c")),
        (str.strip, (" a", "b ", "c")),
        (int, ("007", "010", "11")),
        (lambda one: one[:20], ("review-2024-11-00001-de", "review-2024-11-00002-en", "short")),
    ],
    ids=["lower", "strip", "int", "cut"],
)
def test_ids_come_back_altered(
    start: Start, alter: Callable[[str], object], ids: tuple[str, ...]
) -> None:
    case = start(Server(alter), *ids)
    case.submit(exits=(0,), counts={"succeeded": 3, "missing": 0})
    rows = {one: {"outcome": "succeeded", "text": f"^answer {one}$"} for one in ids}
    case.step("results", "input", rows=rows)
    assert case.server.seen["downloads"] == 1


def test_they_are_found_when_the_history_is_built_anew(start: Start) -> None:
    case = start(Server(str.lower), "Row-A", "Row-B")
    case.submit(exits=(0,))
    case.step("reindex", exits=(0,))
    case.step("results", "input", rows={"Row-A": {"text": "^answer Row-A$"}})


def test_an_id_of_two_rows_is_nobodys(start: Start) -> None:
    case = start(Server(str.lower), "Row-A", "ROW-A", "other")
    case.submit(exits=(1,), counts={"succeeded": 1, "missing": 2})


def test_an_id_that_begins_a_longer_one_is_not_it(start: Start) -> None:
    ids = ("review-2024-11-00001-de", "review-2024-11-00002-en")

    def alter(one: str) -> str:
        return one[:20] if one.endswith("de") else one

    case = start(Server(alter), *ids)
    case.submit(exits=(1,), counts={"succeeded": 1, "missing": 1})
