"""The input columns of composed jobs: kept beside the requests, read back by row."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.rows import import_sample
from tests.store.bench import Desk
from tui.compose.build import columns_path
from tui.config.settings import Config
from tui.core.rows import ColumnsHeader, encode_columns, read_header
from tui.engine.engine import Engine
from tui.errors import UsageError
from tui.paths import Paths
from tui.progress import Progress
from tui.store.rows.inputs import INDEX, INPUTS, InputColumns, write_inputs

TABLE = 'id,title,text\na,"One, two","line\nbreak"\nb,Zwölf,"=1+1"\nc,,日本\n'
ROWS = [("a", "One, two", "line\nbreak"), ("b", "Zwölf", "=1+1"), ("c", "", "日本")]


@pytest.fixture
async def engine(paths: Paths) -> AsyncIterator[Engine]:
    engine = await Engine.open(paths, Config(), sandbox_rate=0)
    yield engine
    await engine.close()


async def composed(engine: Engine, folder: Path, table: str = TABLE) -> Path:
    (folder / "t.csv").write_text(table, encoding="utf-8")
    out = folder / "r.jsonl"
    report = await engine.requests.compose(
        str(folder / "t.csv"), "Sum up {title}", out, model="m", custom_id="id"
    )
    assert report.inputs == str(columns_path(out))
    return out


async def test_a_job_keeps_the_columns_that_it_was_composed_of(
    engine: Engine, tmp_path: Path
) -> None:
    job = await engine.requests.import_file(await composed(engine, tmp_path))
    with InputColumns(engine.paths, job.id) as kept:
        assert kept.columns == ("id", "title", "text")
        assert kept.source.endswith("t.csv")
        assert kept.rows([2, 0, 1]) == [ROWS[2], ROWS[0], ROWS[1]]
        assert kept.rows([1, 7, -1]) == [ROWS[1], None, None]
        assert kept.rows([]) == []
    for name in (INPUTS, INDEX):
        mode = (engine.paths.job_folder(job.id) / name).stat().st_mode
        assert mode & 0o077 == 0


async def test_a_sample_and_the_rest_keep_their_own_rows(engine: Engine, tmp_path: Path) -> None:
    path = await composed(engine, tmp_path)
    chosen = set()
    for seed in range(8):
        sample, rest = import_sample(engine, path, 1, seed=seed)
        with InputColumns(engine.paths, sample.id) as kept:
            (row, after) = kept.rows([0, 1])
            assert row is not None and after is None
        chosen.add(row)
        with InputColumns(engine.paths, rest.id) as kept:
            assert kept.rows([0, 1, 2]) == [*(each for each in ROWS if each != row), None]
    assert len(chosen) > 1


async def test_edits_of_the_import_leave_the_columns(engine: Engine, tmp_path: Path) -> None:
    job = await engine.requests.import_file(
        await composed(engine, tmp_path), edits={"model": "other"}
    )
    with InputColumns(engine.paths, job.id) as kept:
        assert kept.rows([0]) == [ROWS[0]]


async def test_columns_of_a_changed_file_are_left_out_and_it_is_told(
    engine: Engine, tmp_path: Path
) -> None:
    path = await composed(engine, tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(reversed(lines)))
    job = await engine.requests.import_file(path)
    with InputColumns(engine.paths, job.id) as kept:
        assert kept.columns == ()
        assert kept.rows([0]) == [None]
    assert any("Input columns left out" in e.what for e in engine.history.jobs.timeline(job.id))


async def test_ready_made_requests_have_no_columns_and_old_ones_go(
    engine: Engine, tmp_path: Path
) -> None:
    out = await composed(engine, tmp_path)
    request = {"custom_id": "x", "method": "POST", "url": "/v1/chat/completions"}
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    (tmp_path / "ready.jsonl").write_text(json.dumps(request | {"body": body}) + "\n")
    report = await engine.requests.compose(str(tmp_path / "ready.jsonl"), None, out)
    assert report.inputs == ""
    assert not columns_path(out).exists()
    job = await engine.requests.import_file(out)
    assert not (engine.paths.job_folder(job.id) / INPUTS).exists()
    assert not any("left out" in entry.what for entry in engine.history.jobs.timeline(job.id))


async def test_a_stopped_import_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    table = "id,title,text\n" + "".join(f"r{n},t,x\n" for n in range(6000))
    path = await composed(engine, tmp_path, table)
    asked = iter([False])
    with pytest.raises(UsageError, match="stopped"):
        await engine.requests.import_file(path, progress=Progress(stop=lambda: next(asked, True)))
    assert list(engine.paths.jobs.iterdir()) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(json_values, json_values), max_size=12), data=st.data())
def test_any_rows_come_back(
    paths: Paths, rows: list[tuple[object, object]], data: st.DataObject
) -> None:
    folder = paths.job_folder("j")
    folder.mkdir(parents=True, exist_ok=True)
    head = ColumnsHeader(columns=("a", "b"), rows=len(rows))
    with write_inputs(folder, head) as writer:
        for a, b in rows:
            writer(encode_columns({"a": a, "b": b}, ("a", "b")).rstrip(b"\n"))
    seqs = data.draw(st.lists(st.integers(0, len(rows) + 1), max_size=20))
    with InputColumns(paths, "j") as kept:
        expected = [rows[seq] if seq < len(rows) else None for seq in seqs]
        assert kept.rows(seqs) == expected


def test_what_is_no_json_is_kept_as_text() -> None:
    line = encode_columns({"a": "\ud800", "b": {1, 2}}, ("a", "b", "c"))
    assert json.loads(line) == ["?", "{1, 2}", None]


def test_a_head_is_as_long_for_any_number_of_rows() -> None:
    head = ColumnsHeader(columns=("ä",), rows=7, requests="f" * 32)
    assert len(head.line()) == len(ColumnsHeader(columns=("ä",)).line())
    assert read_header(head.line()) == head
    assert read_header(b"[]") is None


def test_an_import_that_breaks_leaves_no_columns(desk: Desk) -> None:
    def breaks() -> Iterator[tuple[str, bytes]]:
        yield "a", b"1"
        raise OSError(28, "No space left on device")

    job = msgspec.structs.replace(desk.history.jobs.get(desk.job(["x"])), id="broken")
    columns = (ColumnsHeader(columns=("c",)), iter([b"[1]", b"[2]"]))
    with pytest.raises(OSError, match="No space"):
        desk.history.jobs.add(job, breaks(), columns=columns)
    assert not desk.paths.job_folder("broken").exists()


def test_rows_without_a_line_of_their_own_have_nothing(desk: Desk) -> None:
    job = msgspec.structs.replace(desk.history.jobs.get(desk.job(["x"])), id="short")
    columns = (ColumnsHeader(columns=("c",)), iter([b"[1]"]))
    requests = [("a", b"1"), ("b", b"2")]
    assert desk.history.jobs.add(job, requests, columns=columns)
    with InputColumns(desk.paths, "short") as kept:
        assert kept.rows([0, 1]) == [(1,), (None,)]
