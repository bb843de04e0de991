from __future__ import annotations

from tui.compose.duplicates import DuplicateFinder


def test_no_false_suspects_and_none_missed_when_the_table_is_far_too_small() -> None:
    finder = DuplicateFinder(rows=1)
    ids = [f"row-{n}" for n in range(60_000)]
    assert finder.add(ids) == []
    assert finder.add(ids[::1000]) == list(range(60))


def test_twice_in_one_call() -> None:
    assert DuplicateFinder(rows=4).add(["a", "b", "a", "a"]) == [2, 3]
