from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.core.tags import LONGEST, MOST, parse_tags, tag_words
from tui.core.text import visible


def test_tags_are_words_each_once() -> None:
    assert parse_tags("#weekly reviews, Weekly;  nl\n") == ("weekly", "reviews", "nl")
    assert parse_tags(" # ,, ") == ()
    assert tag_words(("a", "b")) == "#a #b"


@given(st.text())
def test_any_text_gives_tags_that_can_be_kept_and_shown(text: str) -> None:
    tags = parse_tags(text)
    assert len(tags) <= MOST
    assert all(0 < len(tag) <= LONGEST and visible(tag) == tag for tag in tags)
    assert parse_tags(" ".join(tags)) == tags
