"""``compose job:NAME``: the rows of a job become the requests of the next one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tui.compose.samples import PRODUCTS


def prompts(path: Path) -> dict[str, Any]:
    """The prompt of each request, by its id."""
    found = {}
    for line in path.read_text("utf-8").split("\n"):
        if line:
            request = json.loads(line)
            found[request["custom_id"]] = request["body"]["messages"][-1]["content"]
    return found


def compose(run: Run, out: Path, source: str, prompt: str, *options: str) -> dict[str, Any]:
    done = run("compose", source, "-t", prompt, "-m", "gpt-5-mini", "-o", out, *options)
    assert done.code == 0, done.err
    return prompts(out)


def test_answered_rows_with_their_columns(run: Run, reviews: str, tmp_path: Path) -> None:
    prompt = "{custom_id}|{answer}|{@label}|{@score}|{in.text}|{outcome}|{@label}"
    found = compose(run, tmp_path / "out.jsonl", f"job:{reviews}", prompt)
    assert list(found) == ["r1", "r2", "r3", "r4", "r5", "r6"]
    assert found["r2"] == (
        'r2|{"label": "exchange", "score": 2}|exchange|2|Wrong size|succeeded|exchange'
    )
    assert found["r6"] == "r6|no label|||Broken text|succeeded|"


def test_a_query_selects_the_rows(run: Run, reviews: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert list(compose(run, out, f"job:{reviews}::json:bad", "{answer}")) == ["r6"]
    found = compose(run, out, f"job:{reviews}", "{prompt}", "--where", "outcome:failed")
    assert found == {"r7": "Label this: Never answered\nsandbox:fail=400"}


def test_the_answers_of_a_second_job_are_joined(run: Run, reviews: str, tmp_path: Path) -> None:
    first = tmp_path / "second.jsonl"
    compose(run, first, f"job:{reviews}::outcome:answered", 'sandbox:say={"label": "{in.label}!"}')
    assert run("submit", first, "--wait", "-y").code == 0
    out = tmp_path / "pair.jsonl"
    found = compose(run, out, f"job:{reviews}+second", "{@label} / {other.@label}")
    assert found["r1"] == "refund / refund!"
    assert found["r5"] == "praise / !"


@pytest.mark.parametrize(
    ("source", "prompt", "error"),
    [
        ("job:nothing", "{answer}", "there is no job 'nothing'"),
        ("job:reviews", "{@lable}", "unknown column '@lable' in the user message"),
        ("job:reviews", "{in.texts}", "unknown column 'in.texts'"),
        ("job:reviews::tokens:many", "{answer}", "needs a number"),
        ("job:reviews::id:zzz", "{answer}", "job 'reviews' has no such rows"),
    ],
)
def test_what_is_wrong_is_said(
    source: str, prompt: str, error: str, run: Run, reviews: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    done = run("compose", source, "-t", prompt, "-m", "gpt-5-mini", "-o", out)
    assert done.code == 2
    assert error in done.err
    assert not out.exists()


def test_a_query_needs_a_job(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("text\nok\n")
    options = ("-t", "{text}", "-m", "m", "-o", tmp_path / "out.jsonl")
    done = run("compose", table, *options, "--where", "id:1")
    assert done.code == 2
    assert "only the rows of a job have a query" in done.err


def test_a_field_in_braces_of_a_table_is_an_unknown_column(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("text\nok\n")
    done = run("compose", table, "-t", "{text} {@label}", "-m", "m", "-o", tmp_path / "o.jsonl")
    assert done.code == 2
    assert "unknown column '@label'" in done.err


def test_the_new_job_remembers_where_its_rows_came_from(
    run: Run, reviews: str, tmp_path: Path
) -> None:
    out = tmp_path / "next.jsonl"
    query = "outcome:answered"
    compose(run, out, f"job:{reviews}::{query}", "Translate: {answer}")
    assert run("submit", out, "--wait", "-y").code == 0
    first = run("show", reviews, "--json").document
    assert first["origin"] is None
    assert run("show", "next", "--json").document["origin"] == {
        "job": first["id"], "name": "reviews", "where": query, "other": "",
    }  # fmt: skip
    assert f"Made from rows of reviews ({first['id']}), {query}" in run("show", "next").out
    assert run("reindex", "next").code == 0
    assert run("show", "next", "--json").document["origin"]["name"] == "reviews"


def test_the_included_judges_run_on_a_job(run: Run, tmp_path: Path) -> None:
    def send(source: str, template: str, name: str, rows: int) -> dict[str, Any]:
        out = tmp_path / f"{name}.jsonl"
        done = run("compose", source, "-t", template, "-m", "gpt-5-mini", "-o", out)
        assert done.code == 0, done.err
        sent = run("submit", out, "--wait", "-y", "--json")
        assert sent.document["counts"]["succeeded"] == rows
        return prompts(out)

    send(str(PRODUCTS), "marketing", "products", 10)
    judged = send("job:products", "Judge", "judged", 10)
    assert all("Write a product text" in prompt for prompt in judged.values())
    for row in run("results", "judged").rows:
        assert row["data"]["score"] in (1, 2, 3, 4, 5)
    first, second, *_ = send("job:products+judged", "judge-pair", "pair", 10).values()
    assert first.index("<answer_a>") < first.index("<answer_b>")
    assert second.index("<answer_a>") > second.index("<answer_b>")
    assert all(row["data"]["better"] in ("A", "B", "tie") for row in run("results", "pair").rows)
    assert send("job:products", "translate", "english", 10).keys() == judged.keys()


def test_included_templates_are_listed_and_stay(run: Run) -> None:
    listed = [one["name"] for one in run("templates", "list", "--json").document]
    assert all(one["included"] for one in run("templates", "list", "--json").document)
    assert {"Judge", "Judge pair", "Translate answers"} <= {*listed}
    assert "score" in run("templates", "show", "judge").out
    done = run("templates", "remove", "judge", "-y")
    assert done.code == 2
    assert "cannot be removed" in done.err
