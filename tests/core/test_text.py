from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tui.core.text import one_line, quoted, shortened, visible

ANY = st.text(alphabet=st.characters(codec=None, categories=None) | st.characters(
    categories=("Cc", "Cf", "Cs", "Zl", "Zp")
))  # fmt: skip


def test_terminal_control_is_written_out() -> None:
    assert visible("\x1b[31mred\x1b]0;title\x07") == "\\x1b[31mred\\x1b]0;title\\x07"
    assert visible("\x9b31m\x7f\x00") == "\\x9b31m\\x7f\\x00"
    assert visible("a\nb\r\tc") == "a\\nb\\r\\tc"


def test_hidden_and_turning_characters_are_named() -> None:
    assert visible("a\u202eb") == "a⟨U+202E⟩b"
    assert visible("\u200b\ufeff\u2066\u2028\ud800\U000e0041") == (
        "⟨U+200B⟩⟨U+FEFF⟩⟨U+2066⟩⟨U+2028⟩⟨U+D800⟩⟨U+E0041⟩"
    )


def test_ordinary_text_stays() -> None:
    for text in ("plain", "café 漢字 🙂", "שלום", "a\u00a0b", "e\u0301"):
        assert visible(text) == text


def test_newlines_can_stay() -> None:
    assert visible("a\r\nb\n\tc\rd", newlines=True) == "a\nb\n    c\\rd"


def harmless(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or (
        # Signs that are drawn and change nothing around them.
        character in "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"
        or "\U000110bd" <= character <= "\U0001d17a"
        or "\U00013430" <= character <= "\U0001345f"
    )


@given(ANY)
def test_nothing_that_acts_is_left(text: str) -> None:
    shown = visible(text)
    assert all(harmless(character) for character in shown)
    shown.encode("utf-8")
    assert visible(shown) == shown


@given(ANY)
def test_only_line_feeds_are_left_when_newlines_stay(text: str) -> None:
    shown = visible(text, newlines=True)
    assert all(character == "\n" or harmless(character) for character in shown)
    assert visible(shown, newlines=True) == shown


@given(ANY, st.integers(0, 80))
def test_one_line_is_one_short_line(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= width
    assert all(harmless(character) for character in line)
    assert line == line.strip()


def test_one_line_joins_and_cuts() -> None:
    assert one_line("  a \n\n b\tc ", 10) == "a b c"
    assert one_line("x" * 100, 10) == "x" * 9 + "…"
    assert one_line("a" + " " * 500 + "b", 10) == "a…"
    assert one_line("word", 0) == ""
    assert shortened("abc", 3) == "abc" and shortened("abcd", 3) == "ab…"


def test_quoted() -> None:
    assert quoted("a'b") == "'a'b'"
    assert quoted("\n" * 100) == "'" + "\\n" * 29 + "\\…'"
    assert len(quoted("x" * 10**6)) == 62
