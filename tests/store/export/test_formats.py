"""Every format of export: what was written is read back, and hostile text stays text."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk, line
from tui.core.retry_rules import ADVICE, ErrorClass
from tui.core.reviews.review import Review
from tui.core.rows import ColumnsHeader, Outcome, encode_columns
from tui.errors import HistoryError, UsageError
from tui.paths import Paths
from tui.progress import Progress
from tui.store.export.delimited import safe_cell
from tui.store.export.options import ExportOptions
from tui.store.export.rows import MOST_FIELDS, REST, AnswerFields
from tui.store.rows.inputs import write_inputs

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x1b]0;x\x07\u202e =1+1"


def export(
    desk: Desk, job: str, path: Path, options: ExportOptions | None = None, **more: Any
) -> int | None:
    chosen = options or ExportOptions()
    return desk.history.rows.export(job, desk.history.rows.select(job), path, chosen, **more)


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


def asked(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def keep_inputs(
    desk: Desk, job: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> None:
    head = ColumnsHeader(columns=columns, rows=len(rows))
    with write_inputs(desk.paths.job_folder(job), head) as writer:
        for row in rows:
            values = dict(zip(columns, row, strict=True))
            writer(encode_columns(values, columns).rstrip(b"\n"))


@pytest.fixture
def job(desk: Desk) -> str:
    """Four rows: a JSON answer, a text, one that failed and was done at the second attempt."""
    job = desk.job(["a", "b", "c", "d"])
    desk.results(
        desk.batch(job),
        [
            line("a", text='{"label": "good", "score": 0.5, "by": {"x": [1]}}', prompt_tokens=3),
            line("b", text="=1+1"),
            line("c", Outcome.FAILED, "request 17 failed"),
            line("d", Outcome.FAILED, "request 18 failed"),
        ],
    )
    again = desk.batch(job, [2], attempt=2)
    desk.results(again, [line("c", text="done at last")])
    return job


def test_tsv(desk: Desk, job: str, tmp_path: Path) -> None:
    assert export(desk, job, tmp_path / "o.tsv") == 4
    rows = table(tmp_path / "o.tsv", "\t")
    assert [row["custom_id"] for row in rows] == ["a", "b", "c", "d"]
    assert rows[1]["text"] == "'=1+1"


def test_raw_cells(desk: Desk, job: str, tmp_path: Path) -> None:
    export(desk, job, tmp_path / "o.csv", ExportOptions(raw_cells=True))
    assert table(tmp_path / "o.csv")[1]["text"] == "=1+1"


@pytest.mark.parametrize("text", ["-5", "+1.5", "-2e10", "1", "x=1", "", "ab"])
def test_numbers_are_no_formulas(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize("text", ["-5+1", "+", "=1", "@x", "\t=1", "－1", "-1\n", "--1"])
def test_formulas_get_a_quote(text: str) -> None:
    assert safe_cell(text) == "'" + text


def test_packed(desk: Desk, job: str, tmp_path: Path) -> None:
    export(desk, job, tmp_path / "o.jsonl.gz")
    export(desk, job, tmp_path / "o.jsonl")
    packed = gzip.decompress((tmp_path / "o.jsonl.gz").read_bytes())
    assert packed == (tmp_path / "o.jsonl").read_bytes()
    export(desk, job, tmp_path / "o.csv.gz")
    assert gzip.decompress((tmp_path / "o.csv.gz").read_bytes()).startswith(b"custom_id,")


def test_raw_lines_are_the_bytes_of_the_provider(desk: Desk, tmp_path: Path) -> None:
    job = desk.job(["a", "b", "c"])
    odd = b'{ "custom_id":"b" ,"response":{"status_code":200,"body":{"choices":[]},"x":1.50}}'
    other = line("a", Outcome.FAILED, "boom")
    batch = desk.batch(job)
    desk.results(batch, [odd, other])
    assert export(desk, job, tmp_path / "o.jsonl", ExportOptions(raw=True)) == 2
    # In the order of the requests; the row without a line is left out.
    assert (tmp_path / "o.jsonl").read_bytes() == other + b"\n" + odd + b"\n"


def test_raw_lines_of_a_whole_job_have_those_of_no_row(desk: Desk, tmp_path: Path) -> None:
    job = desk.job(["a", "b"])
    good, twin, foreign, broken = line("a"), line("a", text="two"), line("z"), b'{"custom_id": "b'
    desk.results(desk.batch(job), [good, broken, foreign, twin])
    count = export(desk, job, tmp_path / "o.jsonl", ExportOptions(raw=True))
    written = (tmp_path / "o.jsonl").read_bytes().splitlines()
    assert count == len(written) == 4
    assert sorted(written) == sorted([good, broken, foreign, twin])
    strays = list(desk.history.rows.stray_lines(job))
    assert {stray.kind for stray in strays} == {"duplicate", "unreadable", "unknown"}
    assert {stray.line for stray in strays} | {written[0]} == set(written)


def test_attempts_each_have_a_line(desk: Desk, job: str, tmp_path: Path) -> None:
    assert export(desk, job, tmp_path / "o.jsonl", ExportOptions(attempts=True)) == 5
    rows = [json.loads(one) for one in (tmp_path / "o.jsonl").read_bytes().splitlines()]
    assert [(row["custom_id"], row["attempt"], row["outcome"]) for row in rows] == [
        ("a", 1, "succeeded"),
        ("b", 1, "succeeded"),
        ("c", 1, "failed"),
        ("c", 2, "succeeded"),
        ("d", 1, "failed"),
    ]
    assert rows[2]["error"]["message"] == "request 17 failed"
    assert export(desk, job, tmp_path / "r.jsonl", ExportOptions(attempts=True, raw=True)) == 5


def test_fields_of_answers_become_columns(desk: Desk, job: str, tmp_path: Path) -> None:
    export(desk, job, tmp_path / "o.csv", ExportOptions(expand=True))
    rows = table(tmp_path / "o.csv")
    assert [rows[0][f"data.{name}"] for name in ("label", "score", "by.x")] == [
        "good",
        "0.5",
        "[1]",
    ]
    assert rows[1]["data.label"] == ""


def test_fields_beyond_the_most_stand_together() -> None:
    fields = AnswerFields()
    fields.add([{f"f{n}": n for n in range(MOST_FIELDS + 2)}, [1], None])
    assert len(fields.names) == MOST_FIELDS + 1
    assert fields.names[-1] == REST
    last = f"data.f{MOST_FIELDS + 1}"
    assert fields.values({"f0": 7, f"f{MOST_FIELDS + 1}": 8})[:1] == [7]
    assert fields.values({f"f{MOST_FIELDS + 1}": 8})[-1] == {last: 8}


def test_joined_to_the_table(desk: Desk, job: str, tmp_path: Path) -> None:
    columns = ("id", "text", "Custom_ID")
    keep_inputs(desk, job, columns, [(1, "=x", "é"), ("2", "-5", ""), ("3", "c", None), (4, "", 1)])
    options = ExportOptions(join=True)
    export(desk, job, tmp_path / "o.csv", options)
    rows = table(tmp_path / "o.csv")
    shown = [(row["id"], row["input_text"], row["input_Custom_ID"]) for row in rows]
    assert shown == [("1", "'=x", "é"), ("2", "-5", ""), ("3", "c", ""), ("4", "", "1")]
    assert rows[3]["custom_id"] == "d"
    export(desk, job, tmp_path / "o.jsonl", options)
    lines = [json.loads(one) for one in (tmp_path / "o.jsonl").read_bytes().splitlines()]
    assert lines[0]["input"] == {"id": 1, "text": "=x", "Custom_ID": "é"}
    export(desk, job, tmp_path / "o.db", options)
    got = asked(tmp_path / "o.db", "SELECT custom_id, id, input_text FROM joined ORDER BY seq")
    assert got == [("a", 1, "=x"), ("b", "2", "-5"), ("c", "3", "c"), ("d", 4, "")]


def test_nothing_to_join(desk: Desk, job: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no input columns"):
        export(desk, job, tmp_path / "o.csv", ExportOptions(join=True))
    assert not (tmp_path / "o.csv").exists()


def test_a_database_that_stands_by_itself(desk: Desk, job: str, tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    assert export(desk, job, path, ExportOptions(attempts=True)) == 5
    assert path.stat().st_mode & 0o777 == 0o600
    assert asked(path, "PRAGMA integrity_check") == [("ok",)]
    assert asked(path, "PRAGMA foreign_key_check") == []
    assert asked(path, "SELECT custom_id, outcome, attempt FROM rows ORDER BY seq") == [
        ("a", "succeeded", 1),
        ("b", "succeeded", 1),
        ("c", "succeeded", 2),
        ("d", "failed", 1),
    ]
    assert asked(path, "SELECT json_extract(data, '$.label') FROM rows WHERE seq=0") == [("good",)]
    errors = "SELECT http_status, code, retryable, rows FROM errors"
    assert asked(path, errors) == [(500, "server_error", 1, 1)]
    assert asked(path, "SELECT count(*) FROM attempts") == [(5,)]
    assert dict(asked(path, "SELECT key, value FROM meta"))["name"] == "job"
    types = {row[1]: row[2] for row in asked(path, "PRAGMA table_info(rows)")}
    assert types["input_tokens"] == "INTEGER" and types["cost"] == "REAL"


def test_parquet(desk: Desk, job: str, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    keep_inputs(desk, job, ("n",), [(1,), ("x",), (None,), ([1],)])
    path = tmp_path / "o.parquet"
    assert export(desk, job, path, ExportOptions(join=True)) == 4
    frame = polars.read_parquet(path)
    assert frame["custom_id"].to_list() == ["a", "b", "c", "d"]
    assert frame["input_tokens"].to_list() == [3, None, None, None]
    assert frame["n"].to_list() == ["1", "x", None, "[1]"]
    assert json.loads(frame["data"][0])["label"] == "good"
    export(desk, job, path, ExportOptions(expand=True))
    assert polars.read_parquet(path)["data.label"].to_list() == ["good", None, None, None]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["home", "o.parquet"]


def test_parquet_without_polars(
    desk: Desk, job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(UsageError, match="tables") as caught:
        export(desk, job, tmp_path / "o.parquet")
    assert "pip install" in caught.value.hint
    assert [one.name for one in tmp_path.iterdir()] == ["home"]


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_holds_nothing_that_acts(desk: Desk, tmp_path: Path) -> None:
    job = desk.job([HOSTILE, "b", "c", "d"], name=HOSTILE)
    answers = [
        line(HOSTILE, text=json.dumps({"label": HOSTILE, HOSTILE: 1})),
        line("b", Outcome.FAILED, HOSTILE),
        line("c", text=json.dumps({"label": HOSTILE})),
        line("d", text=HOSTILE),
    ]
    desk.results(desk.batch(job), answers)
    path = tmp_path / "o.html"
    assert export(desk, job, path) == 4
    html = path.read_text("utf-8")
    page = Page()
    page.feed(html)
    # One script, which the page names by its hash; nothing else may run.
    script = html[html.index("<script>") + len("<script>") : html.index("</script>")]
    named = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert page.tags.count("script") == 1 and f"script-src 'sha256-{named}'" in html
    assert "default-src 'none'" in html and "img" not in page.tags
    assert "innerHTML" not in script and "eval" not in script and "fetch" not in script
    assert not any(name.startswith("on") or name in ("src", "href") for name, _ in page.attributes)
    assert "http://" not in html and "https://" not in html and "url(" not in html
    assert "\x1b" not in html and "\u202e" not in html
    assert "<script>alert(1)</script>" in page.text
    assert page.text.count("Errors") == 1 and "svg" in page.tags


def test_a_report_has_rows_to_search_and_sort(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = desk.job(["a", "b", "c"])
    batch = desk.batch(job)
    long = line("a", text="x" * 1500, prompt_tokens=1500, completion_tokens=7)
    desk.results(batch, [long, line("b", Outcome.FAILED, "boom"), line("c", text="third")])
    review = Review(custom_id="c", reviewer="anna", at=9.0, label="wrong", correction="3rd")
    desk.history.reviews.add(job, [review])
    path = tmp_path / "o.html"
    export(desk, job, path)
    html = path.read_text("utf-8")
    page = Page()
    page.feed(html)
    # Readable without scripts: the rows are there, and what needs the script is hidden.
    assert '<div id="controls" hidden>' in html and html.count("<tr data-outcome=") == 3
    assert "x" * 1000 + "…" in page.text and "x" * 1001 not in page.text
    assert "cut to 1,000 characters" in page.text
    assert 'data-value="1507">1,507<' in html and "500 server_error boom" in page.text
    assert "wrong → 3rd" in page.text
    monkeypatch.setattr("tui.store.export.html_report.MOST_ROWS", 2)
    export(desk, job, path)
    html = path.read_text("utf-8")
    assert html.count("<tr data-outcome=") == 2 and "The first 2 of 3 rows" in html


def test_a_report_says_what_helps_against_each_error(desk: Desk, tmp_path: Path) -> None:
    job = desk.job(["a", "b"])
    failed = [line("a", Outcome.FAILED, "boom"), line("b", Outcome.TRUNCATED, "half")]
    desk.results(desk.batch(job), failed)
    path = tmp_path / "o.html"
    assert export(desk, job, path) == 2
    page = Page()
    page.feed(path.read_text("utf-8"))
    for kind in (ErrorClass.TRANSIENT, ErrorClass.TRUNCATED):
        assert kind.value in page.text and ADVICE[kind] in page.text


def test_a_report_of_some_rows_says_so(desk: Desk, job: str, tmp_path: Path) -> None:
    path = tmp_path / "o.html"
    selection = desk.history.rows.select(job)
    part = type(selection)(seqs=selection.seqs[:2], total=selection.total)
    desk.history.rows.export(job, part, path)
    assert "About 2 of 4 rows" in path.read_text()


@pytest.mark.parametrize("name", ["o.jsonl", "o.csv", "o.sqlite", "o.html", "o.csv.gz"])
def test_a_stop_leaves_nothing(desk: Desk, tmp_path: Path, name: str) -> None:
    job = desk.job([str(number) for number in range(2500)])
    assert export(desk, job, tmp_path / name, progress=Progress(stop=lambda: True)) is None
    assert [one.name for one in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("o.csv", ExportOptions(raw=True)),
        ("o.html", ExportOptions(join=True)),
        ("o.jsonl", ExportOptions(expand=True)),
        ("o.sqlite", ExportOptions(raw_cells=True)),
        ("o.jsonl", ExportOptions(raw=True, join=True)),
    ],
)
def test_options_that_mean_nothing(
    desk: Desk, job: str, tmp_path: Path, name: str, options: ExportOptions
) -> None:
    with pytest.raises(UsageError):
        export(desk, job, tmp_path / name, options)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["o.sqlite.gz", "o.html.gz", "gz", "o.gz"])
def test_endings_that_mean_nothing(desk: Desk, job: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="unknown file extension"):
        export(desk, job, tmp_path / name)


@pytest.mark.parametrize("name", ["o.jsonl", "o.csv", "o.sqlite", "o.html"])
def test_a_full_disk_is_told(
    desk: Desk, job: str, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match="No space left") as caught:
        export(desk, job, tmp_path / name)
    assert "Free some space" in caught.value.hint
    assert [one.name for one in tmp_path.iterdir()] == ["home"]


def test_a_damaged_file_is_told_and_nothing_is_written(
    desk: Desk, job: str, tmp_path: Path
) -> None:
    for file in desk.paths.job_folder(job).glob("*.output.jsonl"):
        file.write_bytes(re.sub(rb'"custom_id"', b'"custom-id"', file.read_bytes()))
    for options in (ExportOptions(), ExportOptions(raw=True), ExportOptions(attempts=True)):
        with pytest.raises(HistoryError):
            export(desk, job, tmp_path / "o.jsonl", options)
    assert not (tmp_path / "o.jsonl").exists()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['a\r\nb,"c"', "\n", "\u2028", "'", ";\t", "\x00", "=x", '{"a": 1}', "[1, 2]"]
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(answers=st.lists(texts, min_size=1, max_size=6))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, answers: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("back")
    desk = Desk(Paths.find(folder / "home"))
    try:
        ids = [f"r{number}" for number in range(len(answers))]
        job = desk.job(ids)
        desk.results(
            desk.batch(job), [line(id, text=text) for id, text in zip(ids, answers, strict=True)]
        )
        readers: dict[str, Callable[[Path], list[str]]] = {
            "o.jsonl": lambda path: [
                json.loads(one)["text"] for one in path.read_bytes().split(b"\n")[:-1]
            ],
            "o.csv": lambda path: [row["text"] for row in table(path)],
            "o.tsv": lambda path: [row["text"] for row in table(path, "\t")],
            "o.sqlite": lambda path: [
                row[0] for row in asked(path, "SELECT text FROM rows ORDER BY seq")
            ],
        }
        for name, read in readers.items():
            raw = name.endswith("sv")
            export(desk, job, folder / name, ExportOptions(raw_cells=raw))
            assert read(folder / name) == answers, name
    finally:
        desk.history.close()
