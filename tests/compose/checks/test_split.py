from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import written
from tui.compose.checks.split import plan_split, split_file
from tui.errors import InputError
from tui.progress import Progress

ROWS = st.binary(min_size=1, max_size=30).filter(
    lambda row: bool(row.strip()) and b"\n" not in row and not row.startswith(b"\xef\xbb\xbf")
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS), st.integers(0, 7), st.sampled_from([0, 31, 50, 100]))
def test_the_parts_are_the_file(rows: list[bytes], count: int, size: int) -> None:
    content = b"".join(row + b"\n" for row in rows)
    with TemporaryDirectory() as folder:
        path = Path(folder, "in.jsonl")
        path.write_bytes(content)
        parts = split_file(path, Path(folder, "parts"), rows=count, size=size)
        assert b"".join(part.path.read_bytes() for part in parts) == content
        assert [part.path for part in parts] == sorted(Path(folder, "parts").glob("*"))
        assert sum(part.rows for part in parts) == len(rows)
        first = 1
        for part in parts:
            assert part.size == part.path.stat().st_size
            assert not count or part.rows <= count
            assert not size or part.size <= size
            assert part.first_row == first
            first += part.rows


def test_blank_lines_and_the_mark_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf{1}\n\n{2}\r\n \n{3}")
    parts = split_file(path, tmp_path / "parts", rows=2)
    assert [part.path.name for part in parts] == ["in-1.jsonl", "in-2.jsonl"]
    assert [part.path.read_bytes() for part in parts] == [b"{1}\n{2}\r\n", b"{3}\n"]


def test_a_row_that_fits_nowhere(tmp_path: Path) -> None:
    path = written(tmp_path, b"{1}\n" + b"x" * 100 + b"\n")
    with pytest.raises(InputError, match=r"row 2 of 'in\.jsonl' has 101 bytes"):
        plan_split(path, size=50)


def test_nothing_is_left_when_it_is_stopped(tmp_path: Path) -> None:
    path = written(tmp_path, b"{1}\n{2}\n{3}\n")
    answers = iter([False, False, True])
    with pytest.raises(InputError, match="stopped"):
        split_file(path, tmp_path / "parts", rows=1, progress=Progress(stop=lambda: next(answers)))
    assert list((tmp_path / "parts").iterdir()) == []
