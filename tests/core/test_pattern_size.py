from __future__ import annotations

import pytest

from tui.core.query import parse_query
from tui.core.text import PatternSizeError, check_pattern_size

TOO_LARGE = [
    "a{999999999}",
    "a{999999999,}",
    "a{999999999,999999999}",
    "[abc]{999999999}",
    "[]a]{999999999}",
    "[^]]{999999999}",
    r"\w{999999999}",
    r"\\{999999999}",
    "(a{1000}){1000}",
    "(?:a{1000}){1000}b",
    "((a{100}){100}){100}",
    "(?:x[)]a{1000}){1000}",
    r"(?:\)a{1000}){1000}",
    "(a|b{99999}){9}",
    "a{99999}{9}",
    "a{" + "9" * 5000 + "}",
    "(?:" * 20 + "a{3}" + "){3}" * 20,
    "x" * 10_001,
]


@pytest.mark.parametrize("pattern", TOO_LARGE, ids=lambda pattern: pattern[:30])
def test_what_would_take_all_memory_is_refused(pattern: str) -> None:
    with pytest.raises(PatternSizeError):
        check_pattern_size(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}",
        "[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}",
        ".{200}foo.{200}bar.{200}",
        "a{0,999999999}",
        r'\{"id": 123456789\}',
        "{999999999}",
        "(a+)+",
        "x*" * 3000,
        "[{]{5}",
        "",
        ")))(((",
    ],
)
def test_ordinary_patterns_are_not(pattern: str) -> None:
    check_pattern_size(pattern)


def test_the_filter_says_it_in_words() -> None:
    [problem] = parse_query("re:a{999999999}").problems
    assert problem.message.startswith("re: is too large: its counts multiply")
