from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.reviews.review import Review
from tui.errors import HistoryError
from tui.store.reviews.log import append_reviews, log_problems, read_log, read_reviews


def review(custom_id: str, label: str = "right", **others: object) -> Review:
    return Review(custom_id=custom_id, reviewer="anna", at=1.0, label=label, **others)  # type: ignore[arg-type]


def ids(path: Path, start: int = 0) -> list[str]:
    return [line.review.custom_id for line in read_log(path, start) if line.review is not None]


def test_acts_are_appended_and_found_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    append_reviews(path, [review("a"), review("b", note="ä\u2028\n")])
    append_reviews(path, [review("c")])
    assert path.stat().st_mode & 0o777 == 0o600
    first, second, third = read_log(path)
    assert ids(path) == ["a", "b", "c"] and ids(path, second.offset) == ["b", "c"]
    places = [(line.offset, line.length) for line in (third, first, second)]
    assert read_reviews(path, places) == [review("c"), review("a"), review("b", note="ä\u2028\n")]


def test_a_line_without_its_end_is_not_read_and_the_next_act_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    append_reviews(path, [review("a")])
    with path.open("ab") as stream:
        stream.write(b'{"custom_id": "b", "review')
    assert ids(path) == ["a"]
    assert log_problems(path) == ["the last line of reviews.jsonl is cut off; it is not counted"]
    append_reviews(path, [review("c")])
    assert ids(path) == ["a", "c"]
    [problem] = log_problems(path)
    assert "1 line that cannot be read, the first at byte" in problem


@settings(max_examples=50)
@given(st.integers(1, 200))
def test_whatever_a_kill_leaves_of_the_last_act_the_others_are_read(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "reviews.jsonl")
        append_reviews(path, [review("a"), review("b", correction="x" * 150)])
        data = path.read_bytes()
        path.write_bytes(data[:-cut])
        kept = ids(path)
        assert kept == (["a"] if cut < len(data.split(b"\n")[1]) + 2 else [])
        append_reviews(path, [review("c")])
        # An act that lacks nothing but the end of its line is whole.
        assert ids(path) == [*kept, *(["b"] if cut == 1 else []), "c"]


@pytest.mark.parametrize(
    "line",
    [b"not JSON", b"[]", b'{"custom_id": "a"}', b"\xff", b'{"custom_id":"","reviewer":"x","at":1}'],
)
def test_lines_of_others_are_left_out(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "reviews.jsonl"
    path.write_bytes(line + b"\n")
    assert ids(path) == [] and len(log_problems(path)) == 1


def test_without_a_log_there_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert (list(read_log(path)), log_problems(path)) == ([], [])
    assert read_reviews(path, [(0, 5)]) == [None]


def test_what_cannot_be_stored_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    with pytest.raises(HistoryError, match="cannot be stored"):
        append_reviews(path, [review("a"), review("b", note="\ud800")])
    assert not path.exists()
    with pytest.raises(HistoryError, match="cannot be written"):
        append_reviews(tmp_path / "missing" / "reviews.jsonl", [review("a")])
