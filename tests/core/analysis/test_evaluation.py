"""Scores against formulas written apart from the module, and what is counted beside them."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.analysis.evaluation import (
    OTHER,
    Evaluation,
    Evaluator,
    class_name,
    normalise,
    wilson,
)

Pairs = Sequence[tuple[str | None, str | None]]


def evaluated(pairs: Pairs, *, normalised: bool = False, most: int = 20) -> Evaluation:
    evaluator = Evaluator(normalised=normalised)
    for gold, answer in pairs:
        evaluator.add(gold, answer)
    return evaluator.evaluation(most)


labels = st.sampled_from(["a", "b", "c", "A", " a", '"b"', "other", ""])
some_pairs = st.lists(st.tuples(labels, labels), min_size=1, max_size=80)


def test_an_example_by_hand() -> None:
    pairs: Pairs = [("cat", "cat")] * 5 + [("cat", "dog")] + [("dog", "dog")] * 3 + [("dog", "cow")]
    found = evaluated(pairs)
    assert (found.compared, found.agree, found.accuracy) == (10, 8, 0.8)
    assert found.interval is not None
    assert (round(found.interval.low, 4), round(found.interval.high, 4)) == (0.4902, 0.9433)
    assert found.kappa == pytest.approx((0.8 - (6 * 5 + 4 * 4) / 100) / (1 - (30 + 16) / 100))
    assert [score.name for score in found.classes] == ["cat", "dog", "cow"]
    cat, dog, cow = found.classes
    assert (cat.precision, cat.recall) == (1.0, 5 / 6)
    assert cat.f1 == pytest.approx(10 / 11)
    assert (dog.precision, dog.recall, dog.f1) == (0.75, 0.75, 0.75)
    assert (cow.precision, cow.recall, cow.f1, cow.support) == (0.0, None, 0.0, 0)
    assert found.macro_f1 == pytest.approx((10 / 11 + 0.75) / 3)
    assert found.weighted_f1 == pytest.approx((10 / 11 * 6 + 0.75 * 4) / 10)
    assert found.confusion.headings == ("cat", "dog", "cow")
    assert found.confusion.cells == ((5, 1, 0), (0, 3, 1), (0, 0, 0))


@given(some_pairs)
def test_scores_by_the_definitions(pairs: list[tuple[str, str]]) -> None:
    found = evaluated(list(pairs))
    total = len(pairs)
    classes = {value for pair in pairs for value in pair}
    f1s = {}
    for name in classes:
        right = sum(gold == answer == name for gold, answer in pairs)
        wrong = sum(gold != name and answer == name for gold, answer in pairs)
        missed = sum(gold == name and answer != name for gold, answer in pairs)
        f1s[name] = Fraction(2 * right, 2 * right + wrong + missed)
    gold_counts = Counter(gold for gold, _ in pairs)
    answer_counts = Counter(answer for _, answer in pairs)
    agree = Fraction(sum(gold == answer for gold, answer in pairs), total)
    chance = sum(Fraction(gold_counts[n] * answer_counts[n], total * total) for n in classes)
    assert found.accuracy == pytest.approx(float(agree))
    assert found.macro_f1 == pytest.approx(float(sum(f1s.values()) / len(classes)))
    assert found.weighted_f1 == pytest.approx(
        float(sum(f1s[name] * gold_counts[name] for name in classes) / total)
    )
    if chance == 1:
        assert found.kappa is None
    else:
        assert found.kappa == pytest.approx(float((agree - chance) / (1 - chance)), abs=1e-9)
    assert found.distinct == len(classes)
    assert found.exact


@given(some_pairs, st.integers(1, 9))
def test_the_matrix_counts_every_pair_once(pairs: list[tuple[str, str]], most: int) -> None:
    found = evaluated(list(pairs), most=most)
    table = found.confusion
    assert sum(map(sum, table.cells)) == found.compared == len(pairs)
    assert len(table.cells) == len(table.headings)
    assert table.has_other is (found.distinct > most)
    for place, score in enumerate(found.classes):
        assert sum(table.cells[place]) == score.support
        assert sum(row[place] for row in table.cells) == score.answered
        assert table.cells[place][place] == score.right


@given(st.lists(st.tuples(st.none() | labels, st.none() | labels, st.booleans()), max_size=60))
def test_no_row_is_dropped(rows: list[tuple[str | None, str | None, bool]]) -> None:
    evaluator = Evaluator()
    for gold, answer, has_answer in rows:
        evaluator.add(gold, answer, has_answer=has_answer)
    found = evaluator.evaluation()
    apart = found.without_gold + found.without_answer + found.without_value + found.without_both
    assert found.rows == len(rows) == found.compared + apart
    assert found.without_both == sum(g is None and a is None for g, a, _ in rows)
    assert found.without_gold == sum(g is None and a is not None for g, a, _ in rows)
    assert found.without_value == sum(g is not None and a is None and has for g, a, has in rows)


def test_nothing_compared_has_no_scores() -> None:
    found = evaluated([(None, "a"), ("b", None)])
    assert (found.accuracy, found.interval, found.kappa) == (None, None, None)
    assert (found.macro_f1, found.weighted_f1, found.classes) == (None, None, ())
    assert found.confusion.cells == ()


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    # The last one is an example of Newcombe, Statistics in Medicine 17 (1998), method 3.
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 2, 0.0945, 0.9055),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson(successes: int, total: int, low: float, high: float) -> None:
    found = wilson(successes, total)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share(sample: tuple[int, int]) -> None:
    successes, total = sample
    found = wilson(successes, total)
    assert found is not None
    assert 0 <= found.low <= successes / total <= found.high <= 1


def test_other_spellings_are_offered_and_not_applied() -> None:
    pairs: Pairs = [("Refund", "refund")] * 3 + [("spam", ' "spam". ')] + [("spam", "'Spam' ")]
    found = evaluated(pairs)
    assert (found.agree, found.spellings, found.normalised) == (0, 4, False)
    assert [(one.gold, one.answer, one.rows) for one in found.examples] == [
        ("Refund", "refund", 3), ("spam", "'Spam' ", 1),
    ]  # fmt: skip
    applied = evaluated(pairs, normalised=True)
    assert (applied.agree, applied.spellings, applied.normalised) == (4, 0, True)
    assert applied.agree == found.agree + found.spellings


@given(some_pairs)
def test_the_offer_says_how_many_more_would_agree(pairs: list[tuple[str, str]]) -> None:
    found = evaluated(list(pairs))
    assert evaluated(list(pairs), normalised=True).agree == found.agree + found.spellings


def test_a_class_named_like_the_heading_of_the_rest_stays_apart() -> None:
    found = evaluated([(OTHER, "a"), ("a", "a"), ("b", "b")], most=1)
    assert found.confusion.headings == ("a", OTHER)
    assert found.confusion.cells == ((1, 0), (1, 1))


def test_long_values_are_compared_whole_and_named_by_their_start() -> None:
    long = "x" * 10_000_000
    found = evaluated([(long, long), (long, long + "y")])
    assert (found.agree, found.distinct) == (1, 2)
    assert all(len(score.name) < 150 for score in found.classes)
    assert class_name("short") == "short"
    assert normalise(" 'A'\n") == "a"


@pytest.mark.long
def test_a_million_classes_take_bounded_memory() -> None:
    evaluator = Evaluator()
    tracemalloc.start()
    try:
        for number in range(200_000):
            evaluator.add(f"label {number}", f"label {number // 2 * 2}")
        first = tracemalloc.get_traced_memory()[0]
        for number in range(200_000, 1_000_000):
            evaluator.add(f"label {number}", f"label {number // 2 * 2}")
        second = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert second - first < 1 << 20
    found = evaluator.evaluation(10)
    assert not found.exact
    assert (found.compared, found.agree, found.accuracy) == (1_000_000, 500_000, 0.5)
    assert (found.kappa, found.macro_f1) == (None, None)
    assert sum(map(sum, found.confusion.cells)) == 1_000_000
    assert len(found.classes) == 10


def test_many_pairs_of_few_classes_are_bounded() -> None:
    evaluator = Evaluator()
    for gold in range(400):
        for answer in range(400):
            evaluator.add(str(gold), str(answer))
    found = evaluator.evaluation(5)
    assert found.agree == 400
    assert sum(map(sum, found.confusion.cells)) == 160_000
    assert [score.support for score in found.classes] == [400] * 5
