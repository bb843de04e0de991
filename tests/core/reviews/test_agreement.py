from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.reviews.agreement import Agreement, is_disagreement, measure_agreement

NAMES = ("anna", "ben")
labels = st.sampled_from(["right", "wrong", "refund"])
answers = st.lists(st.tuples(labels, labels), max_size=40)


def by_the_book(both: list[tuple[str, str]]) -> float | None:
    """Cohen's kappa as it is defined: (p_o - p_e) / (1 - p_e)."""
    n = len(both)
    if not n:
        return None
    observed = sum(left == right for left, right in both) / n
    chance = sum(
        sum(left == label for left, _ in both) * sum(right == label for _, right in both) / n**2
        for label in {label for pair in both for label in pair}
    )
    return None if chance > 1 - 1e-12 else (observed - chance) / (1 - chance)


@given(answers)
def test_kappa_is_that_of_the_definition(both: list[tuple[str, str]]) -> None:
    found = measure_agreement(NAMES, Counter(both))
    expected = by_the_book(both)
    assert found.rows == len(both)
    assert found.kappa == (None if expected is None else pytest.approx(expected))
    assert found.kappa is None or -1 <= found.kappa <= 1


@given(answers)
def test_it_is_the_same_from_both_sides(both: list[tuple[str, str]]) -> None:
    other = measure_agreement(NAMES, Counter((right, left) for left, right in both))
    found = measure_agreement(NAMES, Counter(both))
    assert (found.rows, found.same) == (other.rows, other.same)
    assert found.kappa == (None if other.kappa is None else pytest.approx(other.kappa))


@given(st.lists(labels, min_size=1))
def test_full_agreement_is_one_or_undefined(given_labels: list[str]) -> None:
    found = measure_agreement(NAMES, Counter((label, label) for label in given_labels))
    assert found.share == 1.0
    assert found.kappa == (1.0 if len(set(given_labels)) > 1 else None)


def test_a_known_example() -> None:
    """The example of the article on Cohen's kappa in Wikipedia: 50 applications, kappa 0.4."""
    pairs = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    found = measure_agreement(NAMES, pairs)
    assert (found.rows, found.same, found.share) == (50, 35, 0.7)
    assert found.kappa == pytest.approx(0.4)


def test_without_rows_nothing_is_known() -> None:
    assert measure_agreement(NAMES, {}) == Agreement(reviewers=NAMES)
    assert Agreement(reviewers=NAMES).share is None


@given(st.lists(labels | st.just("")))
def test_a_disagreement_has_two_labels(given_labels: list[str]) -> None:
    assert is_disagreement(given_labels) == (len({*given_labels} - {""}) > 1)
