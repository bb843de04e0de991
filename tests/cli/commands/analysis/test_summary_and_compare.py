"""``summary``, ``compare``, and the formats of ``export``."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, request_line


def submitted(run: Run, folder: Path, name: str, answers: dict[str, str]) -> str:
    """A job in which every row gives the answer that is passed in."""
    file = folder / f"{name}.jsonl"
    file.write_text("".join(request_line(id, text) for id, text in answers.items()), "utf-8")
    done = run("submit", file, "--wait", "--json")
    id: str = done.document["id"]
    return id


def say(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"sandbox:say={text}"


@pytest.fixture
def jobs(run: Run, tmp_path: Path) -> tuple[str, str]:
    left = {
        "a": say({"label": "good", "why": "it is good"}),
        "b": say({"label": "bad"}),
        "c": say("plain \\u001b[31m"),
        "d": "sandbox:fail=400",
    }
    right = {**left, "b": say({"label": "good"}), "e": say("new")}
    right.pop("c")
    return submitted(run, tmp_path, "left", left), submitted(run, tmp_path, "right", right)


def test_a_summary_as_a_document(run: Run, jobs: tuple[str, str]) -> None:
    done = run("summary", "left", "--json")
    assert done.code == 0
    document = done.document
    assert document["counts"]["total"] == 4
    assert (document["answered"], document["json_rows"]) == (3, 2)
    assert {field["path"] for field in document["fields"]} == {"data.label", "data.why", "text"}
    done = run("summary", "left", "--field", "data.label", "--json")
    assert done.document["labels"]["items"] == [
        {"value": "bad", "count": 1},
        {"value": "good", "count": 1},
    ]
    done = run("summary", "left", "--field", "data.why", "--stop-words", "--json")
    assert done.document["words"]["items"] == [{"value": "good", "count": 1}]


def test_a_summary_as_text(run: Run, jobs: tuple[str, str]) -> None:
    done = run("summary", "left", "--field", "text")
    assert done.code == 0
    for words in ("output tokens", "FINISH REASON", "WORD", "stop", "plain"):
        assert words in done.out, words
    assert "\x1b" not in done.out


def test_a_field_that_no_answer_has(run: Run, jobs: tuple[str, str]) -> None:
    done = run("summary", "left", "--field", "data.nothing")
    assert done.code == 2
    assert "data.label" in done.err


def test_a_comparison_as_a_document(run: Run, jobs: tuple[str, str]) -> None:
    left, right = jobs
    done = run("compare", "left", "right", "--json")
    assert done.code == 1
    document = done.document
    assert (document["left"]["job_id"], document["right"]["job_id"]) == (left, right)
    assert document["counts"] == {
        "same": 1,
        "different": 1,
        "unanswered": 1,
        "only_left": 1,
        "only_right": 1,
    }
    kinds = {row["custom_id"]: row["kind"] for row in document["rows"]}
    assert kinds == {"b": "different", "c": "only_left", "d": "unanswered", "e": "only_right"}
    assert document["left"]["pass_rate"] == pytest.approx(2 / 3)
    rows = run("compare", "left", "right", "--json", "--limit", "1").document["rows"]
    assert [json.loads(rows[0][side]) for side in ("left", "right")] == [
        {"label": "bad"},
        {"label": "good"},
    ]
    done = run("compare", "left", "right", "--json", "--kind", "same", "--limit", "5")
    assert [row["custom_id"] for row in done.document["rows"]] == ["a"]


def test_a_comparison_as_text(run: Run, jobs: tuple[str, str]) -> None:
    done = run("compare", "left", "right")
    assert done.code == 1
    for words in ("different", "only left", "JSON answers", "66.7%"):
        assert words in done.out, words
    assert "\x1b" not in done.out


def test_equal_jobs_are_exit_code_0(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        submitted(run, tmp_path, name, {"a": say({"n": 1})})
    assert run("compare", "one", "two").code == 0
    assert run("compare", "one", "one").code == 2


def test_from_a_table_to_a_joined_export(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sku,title\ns1,One\ns2,=1+1\n", "utf-8")
    done = run(
        "compose", tmp_path / "t.csv", "-t", "Sum up {title}", "-m", "m", "--id", "sku",
        "-o", tmp_path / "r.jsonl",
    )  # fmt: skip
    assert done.code == 0 and "r.jsonl.inputs" in done.out
    job = run("submit", tmp_path / "r.jsonl", "--wait", "--json").document["id"]
    assert run("export", job, "-o", tmp_path / "o.csv", "--join").code == 0
    with (tmp_path / "o.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["sku"], row["title"], row["outcome"]) for row in rows] == [
        ("s1", "One", "succeeded"),
        ("s2", "'=1+1", "succeeded"),
    ]
    assert run("export", job, "-o", tmp_path / "o.db", "--join").code == 0
    with closing(sqlite3.connect(tmp_path / "o.db")) as connection:
        found = connection.execute("SELECT sku, title FROM joined ORDER BY seq").fetchall()
    assert found == [("s1", "One"), ("s2", "=1+1")]


def test_raw_lines_and_a_report(run: Run, jobs: tuple[str, str], tmp_path: Path) -> None:
    done = run("export", "left", "-o", tmp_path / "o.jsonl", "--raw", "--json")
    assert (done.code, done.document["rows"]) == (0, 4)
    lines = [json.loads(one) for one in (tmp_path / "o.jsonl").read_bytes().splitlines()]
    assert all("response" in one for one in lines)
    assert run("export", "left", "-o", tmp_path / "o.html").code == 0
    assert "<svg" in (tmp_path / "o.html").read_text("utf-8")


@pytest.mark.parametrize("more", [["--raw"], ["--expand", "--join"]])
def test_impossible_options_are_rejected(
    run: Run, jobs: tuple[str, str], tmp_path: Path, more: list[str]
) -> None:
    done = run("export", "left", "-o", tmp_path / "o.csv", *more)
    assert done.code == 2 and "hint:" in done.err
    assert not (tmp_path / "o.csv").exists()


def test_answers_are_compared_by_the_schemas_of_their_requests(run: Run, tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["label"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for name, second in (("strict", {"label": "b"}), ("loose", {"other": 1})):
        answers = {"a": say({"label": "a"}), "b": say(second)}
        file = tmp_path / f"{name}.jsonl"
        lines = (request_line(id, text, response_format=form) for id, text in answers.items())
        file.write_text("".join(lines), "utf-8")
        assert run("submit", file, "--wait").code == 0
    document = run("compare", "strict", "loose", "--json").document
    assert [document[side]["has_schema"] for side in ("left", "right")] == [True, True]
    assert [document[side]["pass_rate"] for side in ("left", "right")] == [1.0, 0.5]
    assert "match the schema" in run("compare", "strict", "loose").out
