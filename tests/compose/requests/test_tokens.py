from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tui.compose.requests.body_checks import too_long_input
from tui.compose.requests.tokens import Family, Tokens, tokens_of_texts

TEXT = "the quick brown fox jumps over a lazy dog while seven wizards brew potent coffee"
WORDS = TEXT.split()


def prose(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=9000))


def table(chance: random.Random) -> str:
    """Rows of 64 characters, so that each column is at the same place of every row."""
    return "".join(
        f"{' '.join(chance.choices(WORDS, k=8)):40.40}{chance.random():10.6f} {n:06d} ok;  \n"
        for n in range(900)
    )


def mixed(chance: random.Random) -> str:
    """Prose with a long number now and then."""
    return " ".join(
        word if chance.random() < 0.98 else "0123456789" * 20
        for word in chance.choices(WORDS, k=8000)
    )


def counted_whole(text: str, family: Family) -> Tokens:
    """The sum over pieces that are short enough to be counted whole."""
    size = 30_000
    pieces = [tokens_of_texts([text[i : i + size]], family) for i in range(0, len(text), size)]
    return Tokens(*map(sum, zip(*pieces, strict=True)))


@pytest.mark.parametrize("family", ["o200k", "other"])
@pytest.mark.parametrize("kind", [prose, table, mixed])
def test_the_bounds_of_a_long_text_hold_those_of_its_characters(
    monkeypatch: pytest.MonkeyPatch, kind: Callable[[random.Random], str], family: Family
) -> None:
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    monkeypatch.setattr("tui.compose.requests.tokens._is_english", lambda _: True)
    for seed in range(20):
        text = kind(random.Random(seed))
        exact, found = counted_whole(text, family), tokens_of_texts([text], family)
        assert found.usual == exact.usual
        assert exact.low * 0.9 < found.low <= exact.low
        assert exact.high <= found.high < exact.high * 1.12


@pytest.mark.parametrize("family", ["o200k", "other"])
def test_digits_that_recur_in_a_long_text_are_all_counted(
    monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    """At whatever distance: a sample at equal distances may miss them."""
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    monkeypatch.setattr("tui.compose.requests.tokens._is_english", lambda _: True)
    for distance in range(2, 300):
        row = "the review of " + "a quick fox " * 30
        row = row[: distance - distance // 2] + "0123456789" * 30
        text = row[:distance] * (200_000 // distance)
        assert counted_whole(text, family).high <= tokens_of_texts([text], family).high


@pytest.mark.parametrize("family", ["cl100k", "other"])
@pytest.mark.parametrize("rest", ["der schnelle Fuchs springt ", "9f86d081884c7d659a2feaa0c55ad0"])
def test_what_begins_in_english_is_not_taken_for_english(
    monkeypatch: pytest.MonkeyPatch, family: Family, rest: str
) -> None:
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    text = "the terms of this contract " * 400 + rest * 5000
    assert counted_whole(text, family).high <= tokens_of_texts([text], family).high


def test_an_input_is_too_long_only_if_all_its_characters_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    for distance in range(2, 200):
        # At least 0.55 tokens for each of 8,000 digits, and none for a space.
        text = ("7" + " " * (distance - 1)) * 8_000
        assert too_long_input({"input": text}, 5000) == ""
    assert "at least" in too_long_input({"input": "7 " * 20_000}, 5000)


def test_other_characters_of_a_long_text_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    text = "ж" * 50 + "a" * 100_000 + "語" * 7 + "\ud83d"
    assert tokens_of_texts([text], "o200k").usual == pytest.approx(
        25_000 + 50 * 0.3 + 7 * 0.75 + 1.3
    )


@pytest.mark.parametrize("family", ["cl100k", "other"])
def test_rows_of_several_languages_are_not_taken_for_english(
    monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    """Nor are rows of another language below English instructions."""
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    german = "der schnelle braune Fuchs springt immer wieder behende gegen einen faulen Hund. " * 8
    alone = tokens_of_texts([german], family)
    instructed = ["Say whether the review is good or bad, and nothing else: ", german] * 500
    assert tokens_of_texts(instructed, family).high >= 500 * alone.high
    english = "the quick brown fox jumps over the lazy dog, and then to a barn with a view. " * 8
    expected = 500 * (alone.high + tokens_of_texts([english], family).high)
    assert tokens_of_texts([english, german] * 500, family).high >= expected
    # English alone still has the closer bound.
    assert tokens_of_texts([english] * 500, family).high < 0.8 * 500 * alone.high
