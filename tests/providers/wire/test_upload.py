from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui.errors import InputError
from tui.progress import Progress
from tui.providers.wire.upload import RowBody


async def sent(stream: RowBody) -> bytes:
    told: list[tuple[int, int | None]] = []
    progress = Progress(lambda a, b: told.append((a, b)), seconds=0)
    length = await stream.measure()
    assert stream.headers == {"Content-Length": str(length)}
    body = b"".join([piece async for piece in stream.body(progress)["content"]])
    assert len(body) == length
    assert told[-1] == (length, length)
    return body


@pytest.mark.parametrize(
    "content", [b'{"a":1}\n{"b":2}\n', b'\n{"a":1}\r\n\n  {"b":2}', b'{"a":1}\n{"b":2}']
)
async def test_rows_become_an_array_of_known_length(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows"
    path.write_bytes(content)
    stream = RowBody(path, head=b'{"requests":[', separator=b",", tail=b"]}")
    assert await sent(stream) == b'{"requests":[{"a":1},{"b":2}]}'


async def test_a_large_file_goes_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("".join(json.dumps({"n": n, "x": "y" * 300}) + "\n" for n in range(3000)))
    stream = RowBody(path, head=b"[", separator=b",", tail=b"]")
    body = await sent(stream)
    assert [row["n"] for row in json.loads(body)] == list(range(3000))
    pieces = [len(piece) async for piece in stream.body()["content"]]
    assert max(pieces) < 1 << 17


@pytest.mark.parametrize("content", [b"", b"\n \n"])
async def test_no_rows(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows"
    path.write_bytes(content)
    with pytest.raises(InputError, match="contains no requests"):
        await RowBody(path, head=b"", separator=b"\n", tail=b"").measure()
    with pytest.raises(InputError, match="cannot be read"):
        await RowBody(tmp_path / "absent", head=b"", separator=b"", tail=b"").measure()
