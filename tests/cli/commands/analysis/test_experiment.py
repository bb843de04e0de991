"""``experiment``: make, send and compare the jobs of one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Done, Run, request_line

GOOD = 'sandbox:say={"label": "good"}\n{{ food }}'
LABEL = 'sandbox:say={"label": "{{ label }}"}\n{{ food }}'


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, prompt in (("always", GOOD), ("read", LABEL)):
        (tmp_path / f"{name}.toml").write_text(f"user = '''\n{prompt}'''\n")
    path = tmp_path / "food.csv"
    path.write_text("food,label\nbread,good\nmilk,bad\ntea,good\nrice,good\n")
    return path


def ran(run: Run, table: Path, *more: str) -> Done:
    words = ("-t", "always.toml", "-t", "read.toml", "-m", "sandbox-small", *more)
    return run("experiment", "run", table, "--name", "food", *words)


def test_from_a_table_to_the_matrix(run: Run, table: Path) -> None:
    done = ran(run, table, "--wait", "--json")
    assert done.code == 0, done.err
    jobs = done.document["jobs"]
    assert [job["name"] for job in jobs] == ["food-sandbox-small-always", "food-sandbox-small-read"]
    assert [(job["is_new"], job["error"]) for job in jobs] == [(True, None)] * 2
    done = run("experiment", "show", "food", "--answer", "@label", "--gold", "in.label", "--json")
    document = done.document
    assert [one["accuracy"] for one in document["variants"]] == [0.75, 1.0]
    assert document["agreement"][0][1] == {"same": 3, "compared": 4, "share": 0.75}
    (row,) = document["rows"]
    assert row["answers"] == ['{"label": "good"}', '{"label": "bad"}']
    text = run("experiment", "show", "food", "--answer", "@label", "--gold", "in.label").out
    for words in ("AGREES", "ACCURACY", "75.0%", "sandbox-small-read", "DIFFERENT ANSWERS"):
        assert words in text, words
    assert "food" in run("experiment", "list").out
    show = run("show", jobs[0]["id"], "--json").document
    assert show["experiment"] == "food"


def test_again_sends_nothing_and_one_more_model_only_that(run: Run, table: Path) -> None:
    assert ran(run, table, "--wait").code == 0
    again = ran(run, table)
    assert again.code == 2 and "sent already" in again.err and "experiment show food" in again.err
    more = ran(run, table, "-m", "sandbox-large", "--wait", "--json")
    assert more.code == 0
    assert [job["is_new"] for job in more.document["jobs"]] == [False, False, True, True]
    assert len(run("list", "--json").document) == 4


def test_each_job_has_the_deadline(run: Run, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = ran(run, table, "--deadline", "2020-01-01T00:00")
    assert late.code == 2 and "has passed" in late.err
    assert run("list", "--json").document == []
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0.001")
    done = ran(run, table, "--deadline", "+6h")
    assert done.code == 0, done.err
    assert "food-sandbox-small-read: Deadline " in done.err
    documents = run("list", "--json").document
    assert [one["deadline"]["phase"] for one in documents] == ["set", "set"]


def test_rows_with_a_value_that_is_missing_are_counted(run: Run, table: Path) -> None:
    assert ran(run, table, "-t", "What is {food}?", "--wait").code == 0
    done = run("experiment", "show", "food", "--answer", "@label", "--limit", "0")
    assert done.code == 0 and "without a value" in done.out
    one = run("experiment", "show", "food", "--gold-file", "nowhere.csv")
    assert one.code == 2 and "nowhere.csv" in one.err


def test_ready_made_requests_with_several_models(run: Run, table: Path) -> None:
    requests = table.with_name("requests.jsonl")
    requests.write_text(request_line("a", "What is 2+2?") + request_line("b", "Why?"))
    words = ("--name", "made", "-m", "sandbox-small", "-m", "sandbox-large", "--wait", "--json")
    done = run("experiment", "run", requests, *words)
    assert done.code == 0, done.err
    jobs = done.document["jobs"]
    assert [(job["name"], job["model"]) for job in jobs] == [
        ("made-sandbox-small", "sandbox-small"),
        ("made-sandbox-large", "sandbox-large"),
    ]
    document = run("experiment", "show", "made", "--json").document
    assert (document["in_common"], document["ids"]) == (2, 2)
    bare = run("experiment", "run", table, "--name", "bare", "-m", "m")
    assert bare.code == 2 and "template" in bare.err


def test_failed_rows_are_exit_code_1_and_shown(run: Run, table: Path) -> None:
    done = run(
        "experiment", "run", table, "--name", "bad", "-t", "sandbox:fail=400 {food}",
        "-t", "{food}", "-m", "m", "--wait",
    )  # fmt: skip
    assert done.code == 1
    variants = run("experiment", "show", "bad", "--json").document["variants"]
    assert sorted(one["failed"] for one in variants) == [0, 4]


def test_an_experiment_with_one_job_has_nothing_to_compare(run: Run, table: Path) -> None:
    words = ("--name", "one", "-t", "{food}", "-m", "m", "--wait")
    assert run("experiment", "run", table, *words).code == 0
    done = run("experiment", "show", "one")
    assert done.code == 2 and "only one job" in done.err
    done = run("experiment", "run", table, "--name", "two", "-t", "{food}")
    assert done.code == 2 and "no model is set" in done.err
