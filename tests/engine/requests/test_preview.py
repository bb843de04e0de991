from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tui.compose.sources.base import Row, Source
from tui.engine.engine import Engine
from tui.errors import InputError, UsageError
from tui.progress import Progress

Writer = Callable[..., Path]


async def test_three_rows_and_the_figures_of_all(engine: Engine, written: Writer) -> None:
    rows = "".join(f"{n},{'long ' * (50 if n == 700 else 1)}\n" for n in range(1000))
    path = written("t.csv", "id,text\n" + rows)
    sketch = await engine.requests.preview(
        str(path), "Sum up: {text}", account="openai", model="gpt-5-mini",
        settings={"max_tokens": 10}, seed=1,
    )  # fmt: skip
    assert [row.why for row in sketch.rows] == ["first", "random", "longest"]
    assert sketch.rows[2].number == 701
    assert sketch.columns == ("id", "text") and sketch.kind == "table"
    assert sketch.count == 1000 and sketch.estimate.rows == 1000
    assert sketch.estimate.high is not None and sketch.estimate.low is not None
    assert sketch.estimate.output_tokens_high == 10_000
    assert sketch.trouble == ""


async def test_the_sandbox_has_tokens_and_no_price(engine: Engine, written: Writer) -> None:
    path = written("t.csv", "id,text\n1,a longer text\n2,another text\n")
    sketch = await engine.requests.preview(str(path), "{text}", model="gpt-5-mini")
    assert sketch.estimate.low is None and sketch.estimate.high is None
    assert sketch.estimate.input_tokens > 0


async def test_an_undefined_column_names_the_nearest(engine: Engine, written: Writer) -> None:
    path = written("t.csv", "id,text\n1,a\n")
    with pytest.raises(InputError, match="row 1: unknown column 'txt'") as caught:
        await engine.requests.preview(str(path), "{txt}", model="m")
    assert "'text'" in caught.value.hint
    with pytest.raises(UsageError, match="no model"):
        await engine.requests.preview(str(path), "{text}")


async def test_a_row_of_the_sample_that_cannot_be_rendered_is_told(
    engine: Engine, written: Writer
) -> None:
    objects = [f'{{"id": {n}, "text": "x{n}"}}' for n in range(1, 150)]
    objects[57] = '{"id": 58, "words": "y"}'
    path = written("t.jsonl", "\n".join(objects))
    source = await engine.requests.open_source(str(path))
    sketch = await engine.requests.preview(source, "{text}", model="m", seed=3)
    assert "row 58" in sketch.trouble
    assert len(sketch.rows) == 3


def endless(seen: threading.Event, ended: threading.Event) -> Source:
    """A source without an end that tells when it is left."""

    def rows() -> Iterator[Row]:
        try:
            while True:
                seen.set()
                yield {"text": "again"}
        finally:
            ended.set()

    return Source(name="endless", kind="table", columns=("text",), open_rows=rows)


@pytest.mark.parametrize("verb", ["compose", "preview"])
async def test_a_cancel_ends_the_work_in_its_thread(
    verb: str, engine: Engine, tmp_path: Path
) -> None:
    seen, ended = threading.Event(), threading.Event()
    source = endless(seen, ended)
    work = (
        engine.requests.compose(source, "{text}", tmp_path / "o.jsonl", model="m")
        if verb == "compose"
        else engine.requests.preview(source, "{text}", model="m")
    )
    task = asyncio.create_task(work)  # type: ignore[arg-type]
    assert await asyncio.to_thread(seen.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 5)
    assert not (tmp_path / "o.jsonl").exists()


async def test_a_stop_ends_it_with_an_error(engine: Engine, tmp_path: Path) -> None:
    source = endless(threading.Event(), threading.Event())
    with pytest.raises(InputError, match="stopped"):
        await engine.requests.compose(
            source, "{text}", tmp_path / "o.jsonl", model="m", progress=Progress(stop=lambda: True)
        )
    with pytest.raises(InputError, match="stopped"):
        await engine.requests.preview(
            source, "{text}", model="m", progress=Progress(stop=lambda: True)
        )
