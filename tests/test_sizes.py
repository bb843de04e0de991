"""A file holds one idea; one that is long says here why it is one all the same."""

from __future__ import annotations

from pathlib import Path

import tui

PACKAGE = Path(tui.__file__).parent
MOST = 350

LONG: dict[str, str] = {}
"""Files of more than ``MOST`` lines, and why each is one file."""


def test_files_are_short_or_say_why_not() -> None:
    long = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if (lines := len(path.read_bytes().splitlines())) > MOST
    }
    assert {name: lines for name, lines in long.items() if name not in LONG} == {}
    assert set(LONG) - set(long) == set(), "short by now: take them off the list"
