from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.store.bench import Desk, line
from tui.core.query import RowFilter
from tui.core.rows import Outcome
from tui.errors import UsageError
from tui.files import temporary_path
from tui.progress import Progress
from tui.store.export.delimited import CSV_COLUMNS
from tui.store.export.options import ExportOptions
from tui.store.export.rows import PAGE_BYTES, ExportRows
from tui.store.job_records import JobData


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(one) for one in path.read_bytes().split(b"\n") if one]


@pytest.fixture
def job(desk: Desk) -> str:
    job = desk.job(["=cmd()", "b", "c", "d"])
    answers = [
        line("=cmd()", Outcome.SUCCEEDED, "+1 \u2028 \n\r \x00 \u00e9,;\"'", prompt_tokens=3),
        line("b", Outcome.SUCCEEDED, '{"n": 123456789012345678901234567890, "x": [1.5, null]}'),
        line("c", Outcome.FAILED, "-boom " + "x" * 500),
    ]
    desk.results(desk.batch(job), answers)
    return job


def everything(desk: Desk, job: str, path: Path, **more: Any) -> int | None:
    return desk.history.rows.export(job, desk.history.rows.select(job), path, **more)


def test_json_lines(desk: Desk, job: str, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert everything(desk, job, path) == 4
    assert path.stat().st_mode & 0o777 == 0o600
    rows = rows_of(path)
    assert [row["custom_id"] for row in rows] == ["=cmd()", "b", "c", "d"]
    assert rows[0]["text"] == "+1 \u2028 \n\r \x00 \u00e9,;\"'"
    assert rows[0]["usage"]["input_tokens"] == 3
    assert rows[1]["data"] == {"n": 123456789012345678901234567890, "x": [1.5, None]}
    assert rows[2]["error"]["message"] == "-boom " + "x" * 500
    assert (rows[3]["outcome"], rows[3]["error"], rows[3]["text"]) == ("pending", None, "")


def test_csv_cells_are_no_formulas(desk: Desk, job: str, tmp_path: Path) -> None:
    path = tmp_path / "out.CSV"
    assert everything(desk, job, path) == 4
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0]["custom_id"] == "'=cmd()"
    assert rows[0]["text"] == "'+1 \u2028 \n\r \x00 \u00e9,;\"'"
    assert rows[2]["error_message"].startswith("'-boom")
    assert (rows[2]["http_status"], rows[2]["retryable"]) == ("500", "true")
    assert rows[3]["outcome"] == "pending"


def test_only_the_selection_in_its_order(desk: Desk, job: str, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    selection = desk.history.rows.select(job, RowFilter(outcomes=frozenset({Outcome.FAILED})))
    assert desk.history.rows.export(job, selection, path) == 1
    assert [row["custom_id"] for row in rows_of(path)] == ["c"]


def test_nothing_to_export_is_an_empty_file(desk: Desk, job: str, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    selection = desk.history.rows.select(job, RowFilter(code="none"))
    assert desk.history.rows.export(job, selection, path) == 0
    assert path.read_bytes() == b""


def test_a_stopped_export_leaves_the_old_file(desk: Desk, tmp_path: Path) -> None:
    job = desk.job([str(number) for number in range(2500)])
    path = tmp_path / "out.csv"
    path.write_text("old")
    told: list[tuple[int, int | None]] = []
    progress = Progress(lambda done, total: told.append((done, total)), stop=lambda: bool(told))
    assert everything(desk, job, path, progress=progress) is None
    assert path.read_text() == "old"
    assert list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part")) == []
    assert told == [(1000, 2500)]
    assert everything(desk, job, path, progress=Progress()) == 2500
    assert len(path.read_bytes().splitlines()) == 2501


def test_a_disk_that_fails_leaves_the_old_file(
    desk: Desk, job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "out.jsonl"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        everything(desk, job, path)
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "out.jsonl"]


def test_places_that_cannot_be_written(desk: Desk, job: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.jsonl").mkdir()
    for path in (
        tmp_path / "none" / "out.jsonl",
        tmp_path / "file" / "out.jsonl",
        tmp_path / "folder.jsonl",
        tmp_path / ("x" * 300 + ".jsonl"),
    ):
        with pytest.raises(UsageError):
            everything(desk, job, path)


def test_an_unknown_ending(desk: Desk, job: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown file extension"):
        everything(desk, job, tmp_path / "out.pdf")


def test_what_a_killed_export_left_goes_with_the_next(desk: Desk, job: str, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    ours = temporary_path(tmp_path / "out.csv")
    name, machine, _, unique, part = ours.name.rsplit(".", 4)
    left = ours.with_name(f"{name}.{machine}.{ended.pid}.{unique}.{part}")
    journal = left.with_name(left.name + "-journal")
    others = [
        left.with_name(left.name + ".gz"),
        left.with_name(f"{name}.another-machine.{ended.pid}.{unique}.{part}"),
        left.with_name(f"{name}.part"),
    ]
    for file in (ours, left, journal, *others):
        file.write_bytes(b"half")
    everything(desk, job, tmp_path / "rows.jsonl")
    assert ours.exists(), "its process runs"
    assert not left.exists()
    assert not journal.exists()
    assert all(file.exists() for file in others)


def test_a_long_name_can_be_written(desk: Desk, job: str, tmp_path: Path) -> None:
    path = tmp_path / ("\N{PILE OF POO}" * 62 + ".jsonl")
    assert everything(desk, job, path) == 4
    assert [file.name for file in tmp_path.glob(".*.part")] == []


def test_long_rows_are_read_one_by_one(desk: Desk, tmp_path: Path) -> None:
    names = [f"r{number}" for number in range(12)]
    job = desk.job(names)
    long = "x" * (PAGE_BYTES // 2)
    answers = [line(name, Outcome.SUCCEEDED, long if name < "r3" else "short") for name in names]
    desk.results(desk.batch(job), answers)
    data = JobData(desk.history._database.read, desk.history.paths, job)
    with ExportRows(data, desk.history.rows.select(job), ExportOptions()) as rows:
        pages = [(done, [len(row.line.text) for row in page]) for done, page in rows.pages()]
    assert [done for done, _ in pages][-1] == 12
    assert sum(len(page) for _, page in pages) == 12
    assert all(sum(page) <= PAGE_BYTES or len(page) == 1 for _, page in pages)
    assert len(pages) > 3
    everything(desk, job, tmp_path / "o.jsonl")
    assert [row["custom_id"] for row in rows_of(tmp_path / "o.jsonl")] == names


def test_only_the_columns_that_are_named(desk: Desk, tmp_path: Path) -> None:
    job = desk.job(["a", "b"], name="fields")
    answer = '{"label": "=1+1", "outcome": "own", "deep": {"er": [1, 2]}}'
    desk.results(desk.batch(job), [line("a", text=answer), line("b", Outcome.FAILED)])
    names = ("custom_id", "@label", "outcome", "@outcome", "@deep.er", "answer", "length", "code")
    everything(desk, job, tmp_path / "out.csv", options=ExportOptions(columns=names))
    with (tmp_path / "out.csv").open(newline="") as file:
        header, first, second = csv.reader(file)
    assert header == [
        "custom_id", "label", "outcome", "input_outcome", "deep.er", "answer", "length", "code"
    ]  # fmt: skip
    assert first == ["a", "'=1+1", "succeeded", "own", "[1,2]", answer, str(len(answer)), ""]
    assert second == ["b", "", "failed", "", "", "", "", "server_error"]
    everything(
        desk, job, tmp_path / "out.jsonl", options=ExportOptions(columns=("@label", "custom_id"))
    )
    assert rows_of(tmp_path / "out.jsonl") == [
        {"label": "=1+1", "custom_id": "a"},
        {"label": None, "custom_id": "b"},
    ]


@pytest.mark.parametrize("names", [("label",), ("in.lang",), ("@label", "nothing")])
def test_unknown_columns_write_no_file(
    desk: Desk, job: str, tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="column"):
        everything(desk, job, tmp_path / "out.csv", options=ExportOptions(columns=names))
    assert not (tmp_path / "out.csv").exists()
