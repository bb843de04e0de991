from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.reviews.review import (
    STATES,
    Review,
    check_label,
    check_reviewer,
    known_label,
    newest_first,
)
from tui.errors import UsageError

reviews = st.builds(
    Review,
    custom_id=st.sampled_from(["a", "b", "c"]),
    reviewer=st.sampled_from(["anna", "ben"]),
    at=st.floats(0, 1e9),
    label=st.sampled_from(["", "right", "wrong", "refund"]),
    correction=st.none() | st.text(max_size=3),
    note=st.sampled_from(["", "odd"]),
    batch_id=st.none() | st.sampled_from(["b1", "b2"]),
)


@given(reviews)
def test_a_review_survives_its_line(review: Review) -> None:
    assert msgspec.json.decode(msgspec.json.encode(review), type=Review) == review


def test_a_review_belongs_to_the_answer_that_was_seen() -> None:
    seen = Review(custom_id="a", reviewer="anna", at=1, label="right", batch_id="b1")
    assert seen.is_of("b1") and not seen.is_of("b2") and not seen.is_of(None)
    blind = msgspec.structs.replace(seen, batch_id=None)
    assert blind.is_of("b2") and blind.is_of(None)


def test_the_newest_comes_first() -> None:
    made = [Review(custom_id="a", reviewer=name, at=at) for name, at in (("b", 1), ("a", 2))]
    assert [one.reviewer for one in newest_first(made)] == ["a", "b"]


@pytest.mark.parametrize("word", [*STATES, "None", "", " ", "a,b", 'a"b', "a\nb", "x" * 61, "\x1b"])
def test_words_that_cannot_be_a_label(word: str) -> None:
    with pytest.raises(UsageError):
        check_label(word)


def test_labels_and_names_lose_their_spaces() -> None:
    assert check_label("  not a refund ") == "not a refund"
    assert check_reviewer(" Anna Ö. ") == "Anna Ö."
    with pytest.raises(UsageError, match="reviewer's name"):
        check_reviewer("")


def test_a_label_is_known_whatever_its_case() -> None:
    assert known_label("REFUND", ["refund"]) == "refund"
    assert known_label("Right", []) == "right"
    assert known_label("Other", ["refund"]) == "Other"
