from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.analysis.sample import MAX_STRATA, sample_rows, sample_strata
from tui.errors import UsageError

values = st.lists(st.sampled_from("abcd"), max_size=60)


@given(st.integers(0, 300), st.integers(0, 50), st.integers(0, 5))
def test_a_sample_is_the_same_each_time_and_grows_at_its_end(
    rows: int, size: int, seed: int
) -> None:
    chosen = sample_rows(range(rows), size, seed)
    assert len(chosen) == len(set(chosen)) == min(rows, size)
    assert set(chosen) <= set(range(rows))
    assert sample_rows(reversed(range(rows)), size, seed) == chosen
    assert sample_rows(range(rows), size + 7, seed)[: len(chosen)] == chosen


def test_seeds_differ_and_every_row_has_its_chance() -> None:
    assert sample_rows(range(1000), 20, 1) != sample_rows(range(1000), 20, 2)
    seen = Counter(seq for seed in range(400) for seq in sample_rows(range(20), 5, seed))
    assert len(seen) == 20 and all(50 < count < 160 for count in seen.values()), seen


@given(values, st.integers(0, 40), st.integers(0, 3))
def test_each_value_gets_the_same_share(rows: list[str], size: int, seed: int) -> None:
    chosen, strata = sample_strata(enumerate(rows), size, seed)
    assert len(chosen) == len(set(chosen)) == min(size, len(rows))
    counts = Counter(rows[seq] for seq in chosen)
    assert {s.value: s.chosen for s in strata} == {value: counts[value] for value in set(rows)}
    assert {s.value: s.rows for s in strata} == Counter(rows)
    for more in counts:
        for fewer in set(rows):
            # A value is behind another one only if it has no more rows, but for the remainder.
            assert counts[fewer] >= counts[more] - 1 or counts[fewer] == rows.count(fewer)


@given(values, st.integers(0, 3))
def test_the_rows_of_a_value_are_those_of_its_own_sample(rows: list[str], seed: int) -> None:
    chosen, strata = sample_strata(enumerate(rows), 8, seed)
    for stratum in strata:
        own = [seq for seq, value in enumerate(rows) if value == stratum.value]
        expected = sample_rows(own, stratum.chosen, seed)
        assert [seq for seq in chosen if rows[seq] == stratum.value] == expected


def test_a_column_of_ids_cannot_stratify() -> None:
    with pytest.raises(UsageError, match="more than 1,000 different values"):
        sample_strata(((n, str(n)) for n in range(MAX_STRATA + 1)), 5, 0)
