"""What the dashboard needs while a template or a request is being written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.rows import chats
from tui.compose.checks.fixes import read_line_at, write_line
from tui.compose.preview import Previewer
from tui.compose.sources.base import Row, Source
from tui.compose.templates.model import Template
from tui.engine.engine import Engine
from tui.errors import InputError, UsageError
from tui.progress import Progress

Writer = Callable[..., Path]


class Counted:
    """A table that tells how often it was gone through."""

    def __init__(self, rows: int) -> None:
        self.passes = 0
        self._rows = rows

    def source(self, count: int | None = None) -> Source:
        return Source("t", "table", ("id", "text"), self._open, count=count)

    def _open(self) -> Iterator[Row]:
        self.passes += 1
        for number in range(self._rows):
            yield {"id": str(number), "text": "long " * (9 if number == 70 else 1)}


async def test_a_source_is_read_once_however_often_the_template_changes(engine: Engine) -> None:
    table = Counted(300)
    book = Previewer(table.source(count=299), seed=1)
    for text in ("A {text}", "B {text}", "C {id} {text}"):
        sketch = await engine.requests.update_preview(
            book, lambda t=text: Template(user=t, model="m")
        )  # type: ignore[misc]
        said = [row.request["body"]["messages"][0]["content"] for row in sketch.rows]
        assert all(words.startswith(text[0]) for words in said)
    assert table.passes == 1
    assert [row.why for row in sketch.rows] == ["first", "random", "longest"]
    assert sketch.rows[2].number == 71
    # The guess of 299 lines gives way to what was counted.
    assert (sketch.count, sketch.exact, sketch.estimate.rows) == (300, True, 300)


async def test_a_sketch_is_that_of_a_preview(engine: Engine, written: Writer) -> None:
    path = written("t.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(900)))
    source = await engine.requests.open_source(str(path))
    template = Template(user="{text}", model="gpt-5-mini", max_tokens=9, id="id")
    book = Previewer(source, seed=4)
    drawn = await engine.requests.update_preview(book, lambda: template, account="openai")
    shown = await engine.requests.preview(source, template, account="openai", seed=4)
    assert drawn.rows == shown.rows and drawn.estimate == shown.estimate


async def test_a_long_source_keeps_its_guess(engine: Engine) -> None:
    book = Previewer(Counted(20_001).source(count=500_000))
    sketch = await engine.requests.update_preview(book, lambda: Template(user="{text}", model="m"))
    assert (sketch.count, sketch.exact) == (500_000, False)


async def test_a_wrong_template_is_told_and_the_book_stays_usable(engine: Engine) -> None:
    book = Previewer(Counted(5).source())
    with pytest.raises(InputError, match="row 1: unknown column 'txt'"):
        await engine.requests.update_preview(book, lambda: Template(user="{txt}", model="m"))
    with pytest.raises(UsageError, match="no prompt"):
        await engine.requests.update_preview(book, lambda: Template(model="m"))
    assert (
        await engine.requests.update_preview(book, lambda: Template(user="{text}", model="m"))
    ).rows


async def test_a_look_that_was_stopped_can_be_taken_again() -> None:
    table = Counted(2000)
    book = Previewer(table.source())
    calls = iter([False, False, True])
    with pytest.raises(InputError, match="stopped"):
        book.load(Progress(stop=lambda: next(calls)))
    assert table.passes == 1 and not book.exact
    book.load()
    assert book.count == 2000 and table.passes == 1


async def test_the_models_of_the_sandbox_are_listed(engine: Engine) -> None:
    assert "sandbox-small" in await engine.accounts.models()


async def test_a_line_is_replaced_in_a_copy(engine: Engine, tmp_path: Path) -> None:
    path = chats(tmp_path / "r.jsonl", 3)
    before = path.read_bytes()
    out = engine.requests.composed_path("r edited")
    assert await engine.requests.write_line(path, out, b'{"custom_id":"new"}', 2) == 2
    lines = out.read_bytes().splitlines()
    assert json.loads(lines[1]) == {"custom_id": "new"}
    assert [lines[0], lines[2]] == [before.splitlines()[0], before.splitlines()[2]]
    assert path.read_bytes() == before
    assert await engine.requests.read_line(out, 2) == b'{"custom_id":"new"}'
    assert await engine.requests.write_line(out, out, b"{}") == 4
    with pytest.raises(InputError, match="no line 9"):
        await engine.requests.write_line(path, tmp_path / "x.jsonl", b"{}", 9)
    assert not (tmp_path / "x.jsonl").exists()


text_lines = st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\n", b"")), max_size=6)


@given(lines=text_lines, new=st.binary(max_size=9).map(lambda b: b.replace(b"\n", b"")))
def test_what_was_put_is_what_is_found(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], new: bytes
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    path, out = folder / "a", folder / "b"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    for number in [None, *range(1, len(lines) + 1)]:
        put = write_line(path, out, new, number)
        assert read_line_at(out, put) == new.removesuffix(b"\r")
        expected = [*lines, new] if number is None else [*lines]
        expected[put - 1] = new
        assert out.read_bytes() == b"".join(line + b"\n" for line in expected)
