"""Equal requests are sent and billed once; the check says how many there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands.test_budget import server as server
from tests.cli.conftest import Run, request_line
from tests.cli.test_terminal import Spawn
from tests.cli.test_terminal import spawn as spawn
from tests.end_to_end.servers import Served

TEXTS = ["n/a", "good", "n/a", "bad", "n/a", "good", "n/a", "n/a", "n/a", "n/a"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten requests, three of them distinct, of a tenth of a cent at most each."""
    path = tmp_path / "r.jsonl"
    rows = (
        request_line(f"r{n}", text, model="gpt-5-mini", max_tokens=1000)
        for n, text in enumerate(TEXTS)
    )
    path.write_text("".join(rows))
    return path


def test_check_counts_the_repeats_and_what_they_cost(run: Run, file: Path) -> None:
    document = run("check", file, "--account", "openai", "--json").document
    assert document["repeats"] == 7
    whole, repeated = document["cost"], document["cost_of_repeats"]
    assert repeated["rows"] == 7
    assert repeated["high"] == pytest.approx(whole["high"] * 0.7, rel=0.02)
    told = run("check", file, "--account", "openai").out
    assert "7 of 10 rows repeat another: 70%, up to $0.007" in told
    assert "`submit --dedupe` sends each request once" in told
    file.write_text(request_line("a", "x", model="gpt-5-mini"))
    alone = run("check", file, "--account", "openai", "--json").document
    assert (alone["repeats"], alone["cost_of_repeats"]) == (0, None)
    assert "repeat another" not in run("check", file, "--account", "openai").out


def test_each_request_is_sent_and_billed_once(run: Run, file: Path, server: Served) -> None:
    done = run("submit", file, "--account", "paid", "--dedupe", "--wait", "--json")
    plain = run("submit", file, "--account", "paid", "--name", "plain", "--wait", "--json")
    assert done.code == 0, done.err
    assert done.document["counts"]["succeeded"] == 10
    cost, before = done.document["cost"], plain.document["cost"]
    assert cost["estimated"] == pytest.approx(0.003, rel=0.02)
    assert 0 < cost["actual"] < before["actual"]
    rows = run("results", "r").rows
    assert cost["actual"] == pytest.approx(sum(row["cost"] or 0 for row in rows))
    paid = {row["custom_id"] for row in rows if row["cost"]}
    assert paid == {"r0", "r1", "r3"}
    assert [row["custom_id"] for row in rows] == [f"r{n}" for n in range(10)]
    by_text = {TEXTS[n]: row["text"] for n, row in enumerate(rows)}
    assert all(row["text"] == by_text[TEXTS[n]] for n, row in enumerate(rows))


def test_the_budget_counts_what_is_sent(run: Run, file: Path, server: Served) -> None:
    limit = ["--account", "paid", "--budget", "0.004", "--json"]
    assert run("submit", file, *limit).code == 5
    assert run("list", "--json").document == []
    done = run("submit", file, *limit, "--dedupe", "--wait")
    assert done.code == 0, done.err


def test_a_draft_is_sent_without_repeats(run: Run, file: Path) -> None:
    first = run("submit", file, "--sample", "2", "--dedupe", "--wait", "--json")
    assert first.code == 0 and first.document["counts"]["succeeded"] == 2
    assert "--dedupe --reuse`." in first.err
    rest = run("submit", "r", "--dedupe", "--reuse", "--wait", "--json")
    assert rest.code == 0 and rest.document["counts"]["succeeded"] == 8
    batches = [*first.document["batches"], *rest.document["batches"]]
    sent = sum(batch["rows"] for batch in batches if not batch["reuses"])
    assert sent == len(set(TEXTS))


def test_the_question_names_the_repeats(spawn: Spawn, file: Path, server: Served) -> None:
    child = spawn("submit", file, "--account", "paid")
    child.expect_exact("7 of 10 rows repeat another: 70%, up to $0.007")
    child.expect_exact("--dedupe sends each request once.")
    child.expect("Cost: up to .0.01")
    child.sendline("n")
    child = spawn("submit", file, "--account", "paid", "--dedupe")
    child.expect("Cost: up to .0.003")
    child.expect_exact("Send 3 requests for gpt-5-mini to OpenAI with account paid? [y/N] ")
    child.sendline("n")


def test_answers_of_the_history_are_reused(run: Run, file: Path, server: Served) -> None:
    first = run("submit", file, "--account", "paid", "--name", "first", "--wait", "--json")
    assert first.code == 0
    longer = file.with_name("longer.jsonl")
    more = request_line("new", "never asked", model="gpt-5-mini", max_tokens=1000)
    longer.write_text(file.read_text() + more)
    done = run("submit", longer, "--account", "paid", "--reuse", "--wait", "--json")
    assert done.code == 0, done.err
    assert done.document["counts"]["succeeded"] == 11
    old, new = done.document["batches"]
    assert (old["rows"], old["reuses"]) == (10, True)
    assert (new["rows"], new["reuses"]) == (1, False)
    assert 0 < done.document["cost"]["actual"] < first.document["cost"]["actual"] / 5
    rows = run("results", "longer").rows
    assert [row["text"] for row in rows[:10]] == [
        row["text"] for row in run("results", "first").rows
    ]
    assert [bool(row["cost"]) for row in rows] == [False] * 10 + [True]
    again = run("submit", longer, "--account", "paid", "--name", "again", "--reuse", "--json")
    assert again.document["status"] == "completed" and again.document["cost"]["actual"] == 0
    late = run("submit", longer, "--account", "paid", "--reuse", "--reuse-since", "2099-01-01",
               "--budget", "0.001")  # fmt: skip
    assert late.code == 5
    assert run("submit", longer, "--reuse-since", "1h").code == 2


def test_costs_tell_what_was_saved(run: Run, file: Path, server: Served) -> None:
    run("submit", file, "--account", "paid", "--name", "once", "--dedupe", "--wait")
    run("submit", file, "--account", "paid", "--name", "copied", "--reuse", "--wait")
    rows = run("results", "once").rows
    costs = {TEXTS[n]: row["cost"] for n, row in enumerate(rows) if row["cost"]}
    document = run("costs", "--by", "job", "--json").document
    by_job = {group["job"].partition(" ")[0]: group for group in document["groups"]}
    shared = sum(costs[text] for text in TEXTS) - sum(costs.values())
    assert by_job["once"]["saved_by_reuse"]["amount"] == pytest.approx(shared)
    assert by_job["once"]["rows"] == 3
    whole = sum(costs[text] for text in TEXTS)
    assert by_job["copied"]["saved_by_reuse"]["amount"] == pytest.approx(whole)
    assert by_job["copied"]["billed"]["amount"] == by_job["copied"]["rows"] == 0
    assert "REUSE SAVED" in run("costs").out


def test_the_question_names_what_is_reused(
    spawn: Spawn, run: Run, file: Path, server: Served
) -> None:
    assert run("submit", file, "--account", "paid", "--name", "first", "--wait").code == 0
    more = request_line("new", "never asked", model="gpt-5-mini", max_tokens=1000)
    file.write_text(file.read_text() + more)
    child = spawn("submit", file, "--account", "paid", "--reuse")
    child.expect_exact("10 rows have an answer already (first 10).")
    child.expect_exact("Send 1 request for gpt-5-mini to OpenAI with account paid? [y/N] ")
    child.sendline("n")
