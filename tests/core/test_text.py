from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.text import CHUNK, one_line, quoted, shorten, shorten_paths, split_lines, visible

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
    assert shorten("abc", 3) == "abc" and shorten("abcd", 3) == "ab…"


def test_quoted() -> None:
    assert quoted("a'b") == "'a'b'"
    assert quoted("\n" * 100) == "'" + "\\n" * 29 + "\\…'"
    assert len(quoted("x" * 10**6)) == 62


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"\r")), max_size=20))
def test_lines_and_offsets_give_the_bytes_back(parts: list[bytes]) -> None:
    whole = b"\n".join(parts)
    found = list(split_lines(io.BytesIO(whole)))
    assert [line for _, line in found] == (
        whole.split(b"\n") if not whole.endswith(b"\n") else whole.split(b"\n")[:-1]
    ) or not whole
    for offset, line in found:
        assert whole[offset : offset + len(line)] == line
        assert whole[offset + len(line) : offset + len(line) + 1] in (b"\n", b"")


@given(st.binary(max_size=60), st.integers(1, 9))
def test_the_size_of_a_read_does_not_matter(whole: bytes, chunk: int) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(chunk)

    assert list(split_lines(Slow(whole))) == list(split_lines(io.BytesIO(whole)))


def test_only_a_line_feed_ends_a_line() -> None:
    line = '{"a":"x\u2028y\u2029z\u0085\x0c\x0b\x1c\x1d\x1e\r"}'.encode()
    assert list(split_lines(io.BytesIO(line + b"\n" + line))) == [(0, line), (len(line) + 1, line)]


def test_a_line_may_be_longer_than_a_read() -> None:
    long = b"x" * (2 * CHUNK + 5)
    assert list(split_lines(io.BytesIO(long + b"\ny\n"))) == [(0, long), (len(long) + 1, b"y")]


def test_offsets_begin_where_the_reading_does() -> None:
    stream = io.BytesIO(b"ab\ncd\n")
    stream.seek(3)
    assert list(split_lines(stream, 3)) == [(3, b"cd")]


def test_nothing() -> None:
    assert list(split_lines(io.BytesIO(b""))) == []


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخوانم",
        "ක්\u200dරියා",
        "क्\u200dष",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u2764\ufe0f\u200d\U0001f525",
        "\u845b\U000e0100",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_joiners_that_the_script_needs_are_kept(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a\u200cb",
        "\u200cم",
        "م\u200c",
        "م\u200c\u200cم",
        "a\U000e0041",
        "م\u202eم",
        "b\u200d\U0001f525",
    ],
)
def test_joiners_that_join_nothing_are_shown(text: str) -> None:
    assert "⟨U+" in visible(text)


def test_a_long_path_in_a_sentence_leaves_room_for_the_reason() -> None:
    path = "/home/somebody/" + "a-long-folder/" * 9 + "reviews.jsonl"
    told = shorten_paths(f"cannot read {path}: Permission denied")
    assert told.startswith("cannot read /home/")
    assert told.endswith("reviews.jsonl: Permission denied")
    assert len(told) < 80
    for whole in ("read /home/me/a.csv", f"see https://host{path}", "a" * 90, f"{'b' * 80}/c"):
        assert shorten_paths(whole) == whole
