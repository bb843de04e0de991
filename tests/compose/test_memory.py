from __future__ import annotations

import tracemalloc
from pathlib import Path

from tests.compose.rows import chat, lines
from tui.compose.checks.clean import clean_requests
from tui.compose.checks.scan import check_file


def write_rows(path: Path, count: int) -> None:
    with path.open("wb") as file:
        for start in range(0, count, 50):
            text = "word " * 2400
            file.write(lines(*(chat(f"row-{n:08d}", text) for n in range(start, start + 50))))


def peak(path: Path) -> int:
    tracemalloc.start()
    try:
        assert check_file(path).ok
        assert sum(1 for _ in clean_requests(path, fix=False)) > 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_sixty_megabyte_file_takes_no_more_memory_than_a_six_megabyte_one(
    tmp_path: Path,
) -> None:
    write_rows(tmp_path / "small.jsonl", 500)
    write_rows(tmp_path / "large.jsonl", 5000)
    assert (tmp_path / "large.jsonl").stat().st_size > 59_000_000
    small, large = peak(tmp_path / "small.jsonl"), peak(tmp_path / "large.jsonl")
    assert large < small + 1_000_000
    assert large < 4_000_000
