from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from tui.core import lines
from tui.core.lines import lines_of


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"\r")), max_size=20))
def test_lines_and_offsets_give_the_bytes_back(parts: list[bytes]) -> None:
    whole = b"\n".join(parts)
    found = list(lines_of(io.BytesIO(whole)))
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

    assert list(lines_of(Slow(whole))) == list(lines_of(io.BytesIO(whole)))


def test_only_a_line_feed_ends_a_line() -> None:
    line = '{"a":"x\u2028y\u2029z\u0085\x0c\x0b\x1c\x1d\x1e\r"}'.encode()
    assert list(lines_of(io.BytesIO(line + b"\n" + line))) == [(0, line), (len(line) + 1, line)]


def test_a_line_may_be_longer_than_a_read() -> None:
    long = b"x" * (2 * lines.CHUNK + 5)
    assert list(lines_of(io.BytesIO(long + b"\ny\n"))) == [(0, long), (len(long) + 1, b"y")]


def test_offsets_begin_where_the_reading_does() -> None:
    stream = io.BytesIO(b"ab\ncd\n")
    stream.seek(3)
    assert list(lines_of(stream, 3)) == [(3, b"cd")]


def test_nothing() -> None:
    assert list(lines_of(io.BytesIO(b""))) == []
