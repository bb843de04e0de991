from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tui.core.send_plans import Limits, Part, plan_parts

LENGTHS = st.lists(st.integers(0, 50), max_size=60)


@given(LENGTHS, st.integers(0, 10), st.integers(0, 120), st.integers(1, 5))
def test_parts_rejoin_and_keep_the_limits(
    lengths: list[int], rows: int, size: int, step: int
) -> None:
    places = [(number * step, length) for number, length in enumerate(lengths)]
    parts = plan_parts(places, Limits(rows=rows, bytes=size))
    rejoined = []
    for part in parts:
        inside = [place for place in places if part.first_seq <= place[0] <= part.last_seq]
        assert inside[0][0] == part.first_seq
        assert inside[-1][0] == part.last_seq
        assert len(inside) == part.rows > 0
        assert sum(length + 1 for _, length in inside) == part.size
        assert not rows or part.rows <= rows
        assert not size or part.size <= size or part.rows == 1
        rejoined += inside
    assert rejoined == places
    # Greedy: the first row of a part did not fit into the one before.
    for before, after in itertools.pairwise(parts):
        first = dict(places)[after.first_seq] + 1
        full = (rows and before.rows == rows) or (size and before.size + first > size)
        assert full


def test_nothing_makes_no_part() -> None:
    assert plan_parts([], Limits(rows=1, bytes=1)) == []


def test_no_limits_make_one_part() -> None:
    assert plan_parts([(0, 4), (1, 4)], Limits()) == [Part(0, 1, 2, 10)]
