"""Foreign text is safe on a terminal and complete in JSON; tables are aligned."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass

import pytest

from tui.cli import output
from tui.cli.output import cell_width, truncate_cells


@dataclass
class Stream(io.StringIO):
    """A stream that can be a terminal."""

    terminal: bool = False
    encoding = "utf-8"

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self.terminal = terminal
        self.encoding = encoding  # type: ignore[misc]

    def isatty(self) -> bool:
        return self.terminal


HOSTILE = "\x1b]0;title\x07 \x9b31m \u202e \u2028 \u0085 \x7f ü 語"


def test_json_escapes_control_characters_and_stays_equal() -> None:
    raw = output.json_bytes({"text": HOSTILE})
    text = raw.decode("utf-8")
    assert json.loads(text) == {"text": HOSTILE}
    assert not any(mark in text for mark in "\x1b\x07\x9b\u202e\u2028\u0085\x7f")
    assert "ü 語" in text
    assert len(text.splitlines()) == 1


def test_json_of_a_file_name_that_is_not_utf_8() -> None:
    raw = output.json_bytes({"path": "a\udcff.jsonl"})
    assert json.loads(raw) == {"path": "a\udcff.jsonl"}


def test_cells_count_wide_and_combining_characters() -> None:
    assert cell_width("abc") == 3
    assert cell_width("日本") == 4
    assert cell_width("e\u0301") == 1


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("abcdef", 6, "abcdef"), ("abcdef", 4, "abc…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…")],
)
def test_a_truncated_text_fits_and_ends_with_an_ellipsis(text: str, width: int, shown: str) -> None:
    assert truncate_cells(text, width) == shown
    assert cell_width(shown) <= width


def test_a_table_is_aligned_in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(terminal=False))
    lines = output.table(
        ("NAME", "ROWS", "X"), [["日本", "3", "a"], ["abc", "1,204", "b"]], right=frozenset({1})
    )
    assert lines == ["NAME   ROWS  X", "日本      3  a", "abc   1,204  b"]


def test_a_table_escapes_control_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(terminal=False))
    lines = output.table(("NAME",), [["a\x1b[31mb\nc"]])
    assert lines == ["NAME", "a\\x1b[31mb c"]


def test_the_elastic_column_is_truncated_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(terminal=True))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    lines = output.table(("ID", "TEXT"), [["0123456789", "x" * 100]], elastic=1)
    assert max(map(len, lines)) == 30
    assert lines[1].endswith("…")


def test_nothing_is_truncated_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(terminal=False))
    monkeypatch.setenv("COLUMNS", "30")
    assert output.table(("TEXT",), [["x" * 100]])[1] == "x" * 100


@pytest.mark.parametrize(
    ("terminal", "variables", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colours_only_on_terminals_that_allow_them(
    terminal: bool, variables: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    painted = output.paint("word", "red", Stream(terminal=terminal))
    assert painted == ("\x1b[31mword\x1b[0m" if coloured else "word")


def test_signs_have_ascii_replacements() -> None:
    assert output.glyph("✓", "+", Stream(terminal=True)) == "✓"
    assert output.glyph("✓", "+", Stream(terminal=True, encoding="ascii")) == "+"


def test_pairs_skip_empty_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(terminal=False))
    assert output.pairs({"name": "a", "trouble": "", "status": "b"}) == [
        "name    a",
        "status  b",
    ]


def test_a_closed_stderr_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    output.say("not shown")
