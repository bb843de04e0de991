from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import chat, lines, without
from tui.compose.checks.clean import clean_requests
from tui.compose.checks.scan import check_file
from tui.compose.requests import block_reader as blocks
from tui.compose.requests.rules import RequestLimits
from tui.core.text import BLANKS, BOM, split_lines, visible
from tui.errors import InputError

IDS = st.sampled_from(["a", "b", "c", "d", "é", "x y"]) | st.text(max_size=5)
ROWS = st.one_of(
    st.builds(chat, IDS, st.text(max_size=20)),
    st.builds(lambda i, m: chat(i, model=m), IDS, st.sampled_from(["m", "n", "summarize"])),
    st.builds(lambda i: chat(i, stream=False), IDS),
    st.builds(lambda i: {"custom_id": i, "params": chat()["body"]}, IDS),
    st.builds(lambda i, name: without(chat(i), name), IDS, st.sampled_from(["url", "body"])),
    st.dictionaries(
        st.sampled_from(["custom_id", "method", "url", "body", "params"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=True),
    ),
)
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"\r\r\n"])


def encoded(row: dict[str, Any], ascii_only: bool) -> bytes:
    return json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


FILES = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda bom, parts, tail: bom + b"".join(encoded(r, a) + e for r, a, e in parts) + tail,
        st.sampled_from([b"", b"", b"\xef\xbb\xbf"]),
        st.lists(st.tuples(ROWS, st.booleans(), ENDS), max_size=12),
        st.sampled_from([b"", b"", b" ", b"{", b"\xff", b"null"]),
    ),
    st.builds(
        lambda n, extra: lines(*(chat(f"r{i}") for i in range(n)), *extra),
        st.integers(1, 30),
        st.lists(ROWS, max_size=3),
    ),
)
LIMITS = st.builds(
    RequestLimits,
    line_bytes=st.sampled_from([0, 0, 150, 40]),
    custom_id_max=st.sampled_from([0, 3]),
    custom_id_pattern=st.sampled_from(["", "[a-z0-9]+"]),
    one_model=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(FILES, LIMITS, st.sampled_from([64, 300, 1 << 16]))
def test_check_and_clean_agree_on_any_bytes(
    content: bytes, limits: RequestLimits, size: int
) -> None:
    usual = blocks.BLOCK_BYTES
    blocks.BLOCK_BYTES = size
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder, "in.jsonl")
            path.write_bytes(content)
            agree(path, content, limits)
    finally:
        blocks.BLOCK_BYTES = usual


def agree(path: Path, content: bytes, limits: RequestLimits) -> None:
    report = check_file(path, limits=limits)
    if report.form:
        # Another form of file is named once, and its lines are not judged.
        assert [problem.code for problem in report.problems] == ["other_form"]
        return
    with path.open("rb") as file:
        numbered = list(enumerate((line for _, line in split_lines(file)), 1))
    assert report.rows == sum(bool(line.removeprefix(BOM).strip(BLANKS)) for _, line in numbered)
    assert report.longest_line == max((len(line) for _, line in numbered), default=0)
    shown = [problem for problem in report.problems if problem.severity == "error"]
    assert bool(shown) == (report.stops > 0)
    assert sum(report.found.values()) >= len(report.problems)
    for problem in report.problems:
        assert visible(problem.what) == problem.what and visible(problem.fix) == problem.fix
        assert problem.line is None or 1 <= problem.line <= len(numbered)
    for fix, fine in ((False, report.ok), (True, report.ok_when_fixed)):
        try:
            found = list(clean_requests(path, fix=fix, limits=limits))
        except InputError as error:
            assert not fine
            assert error.path == path
            continue
        assert fine
        assert len(found) == report.rows
        assert len({request.custom_id for request in found}) == report.rows
        for request in found:
            assert numbered[request.line_number - 1][0] == request.line_number
            assert json.loads(request.line)["custom_id"] == request.custom_id
            assert b"\n" not in request.line and b"\r" not in request.line[-1:]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.sampled_from([64, 1 << 16]))
def test_duplicates_are_named_exactly(ids: list[int], size: int) -> None:
    usual = blocks.BLOCK_BYTES
    blocks.BLOCK_BYTES = size
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder, "in.jsonl")
            path.write_bytes(lines(*(chat(str(n)) for n in ids)))
            report = check_file(path)
    finally:
        blocks.BLOCK_BYTES = usual
    first: dict[int, int] = {}
    expected = []
    for line, n in enumerate(ids, 1):
        if first.setdefault(n, line) != line:
            expected.append((line, f"duplicate custom_id '{n}', first used on line {first[n]}"))
    assert report.found.get("duplicate_custom_id", 0) == len(expected)
    assert [(p.line, p.what) for p in report.problems] == expected[:20]
