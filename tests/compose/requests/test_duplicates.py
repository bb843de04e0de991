from __future__ import annotations

import pytest

from tui.compose.requests.duplicates import DuplicateFinder


@pytest.mark.parametrize("in_a_set", [0, 1000, 300_000])
def test_no_false_suspects_and_none_missed_when_the_table_is_far_too_small(
    in_a_set: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.compose.requests.duplicates._MAX_IN_SET", in_a_set)
    finder = DuplicateFinder(rows=1)
    ids = [f"row-{n}" for n in range(60_000)]
    assert finder.add(ids) == []
    assert finder.add(ids[::1000]) == list(range(60))
    assert (
        not finder.add_if_new(ids[7])
        and finder.add_if_new("another")
        and not finder.add_if_new("another")
    )


def test_twice_in_one_call() -> None:
    assert DuplicateFinder(rows=4).add(["a", "b", "a", "a"]) == [2, 3]
