"""Cost in ``check``, budgets and samples: shown and enforced before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Run, request_line
from tests.cli.test_terminal import Spawn, ended
from tests.cli.test_terminal import spawn as spawn
from tests.end_to_end.servers import Served, join_all, sandbox


@pytest.fixture
def server(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """An account ``paid`` with OpenAI's prices, served by a sandbox."""
    monkeypatch.setenv("BATCHDECK_KEY_PAID", "sk-budget-4f1c0de5ba5e")
    with sandbox("openai") as server:
        added = run("accounts", "add", "paid", "--provider", "openai", "--base-url", server.url)
        assert added.code == 0
        yield server
    join_all()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten requests with a maximum cost of a little more than a cent."""
    path = tmp_path / "r.jsonl"
    rows = (request_line(f"r{n}", "Hello", model="gpt-5-mini", max_tokens=1000) for n in range(10))
    path.write_text("".join(rows))
    return path


def test_check_shows_the_cost(run: Run, file: Path) -> None:
    cost = run("check", file, "--account", "openai", "--json").document["cost"]
    assert cost["currency"] == "USD" and cost["expected"] is None
    assert 0 < cost["low"] < cost["high"] == pytest.approx(0.01, rel=0.01)
    assert "up to $0.01" in run("check", file, "--account", "openai").out
    assert "cost           free" in run("check", file).out
    file.write_text(request_line("a", "Hello", model="made-up"))
    assert run("check", file, "--account", "openai", "--json").document["cost"]["low"] is None
    assert "cost           unknown" in run("check", file, "--account", "openai").out


@pytest.mark.parametrize("words", [[], ["-y"], ["--wait"], ["--sample", "5", "-y"]])
def test_a_budget_stops_with_exit_code_5(
    words: list[str], run: Run, file: Path, server: Served
) -> None:
    done = run("submit", file, "--account", "paid", "--budget", "0.004", "--json", *words)
    assert done.code == 5 and done.out == ""
    assert "the budget per submit of $0.004" in done.err.splitlines()[0]
    assert "hint: Raise the budget" in done.err
    assert run("list", "--json").document == []
    assert [call for call in server.asked if call.method == "POST"] == []


def test_within_the_budget_it_is_sent_and_billed(run: Run, file: Path, server: Served) -> None:
    done = run("submit", file, "--account", "paid", "--budget", "0.02", "--wait", "--json")
    assert done.code == 0, done.err
    cost = done.document["cost"]
    assert cost["estimated"] == pytest.approx(0.01, rel=0.01)
    assert 0 < cost["actual"] < cost["estimated"]


def test_the_budget_of_the_configuration_counts(
    run: Run, file: Path, server: Served, home: Path
) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text() + "[budget]\nper_month = 0.015\n")
    assert run("submit", file, "--account", "paid", "--json").code == 0
    assert run("watch", "r", "--json").code == 0
    # The first one is billed now, at far less than it might have cost.
    again = run("submit", file, "--account", "paid", "--name", "again", "--json")
    assert again.code == 0, again.err
    config.write_text(config.read_text().replace("0.015", "0.0001"))
    stopped = run("submit", file, "--account", "paid")
    assert stopped.code == 5 and "over the budget per month" in stopped.err


def test_an_unknown_price_is_over_any_budget(run: Run, server: Served, tmp_path: Path) -> None:
    file = tmp_path / "u.jsonl"
    file.write_text(request_line("a", "Hello", model="made-up", max_tokens=5))
    done = run("submit", file, "--account", "paid", "--budget", "100", "-y")
    assert done.code == 5 and "cost unknown" in done.err
    assert run("submit", file, "--account", "paid", "-y").code == 0


@pytest.mark.parametrize("word", ["-1", "nan", "inf", "x"])
def test_a_budget_is_an_amount(word: str, run: Run, file: Path) -> None:
    assert run("submit", file, "--budget", word).code == 2


def test_bad_prices_are_a_configuration_error(run: Run, file: Path, home: Path) -> None:
    home.mkdir(exist_ok=True)
    for text in ('[prices."m"]\ninput = 1\n', '[prices."m"]\ninput = nan\noutput = 1\n',
                 "[budget]\nper_submit = -1\n", "[budget]\nper_year = 1\n"):  # fmt: skip
        (home / "config.toml").write_text(text)
        done = run("check", file)
        assert done.code == 2 and "config.toml" in done.err


def test_a_budget_limits_a_retry(run: Run, server: Served, tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    words = "sandbox:flaky=500 Hello"
    file.write_text(request_line("a", words, model="gpt-5-mini", max_tokens=1000))
    assert run("submit", file, "--account", "paid", "--wait").code == 1
    assert run("retry", "f", "--budget", "0.0001").code == 5
    assert run("retry", "f", "--budget", "0.01", "--wait").code == 0


def test_a_sample_goes_first_and_the_rest_waits(run: Run, file: Path) -> None:
    done = run("submit", file, "--sample", "4", "--wait", "--json")
    assert done.code == 0
    assert done.document["name"] == "r-sample" and done.document["counts"]["succeeded"] == 4
    rest = run("show", "r", "--json").document
    assert rest["status"] == "draft" and rest["counts"]["total"] == 6
    assert f"6 other requests waiting as r; to submit: `batchdeck submit {rest['id']}`" in done.err
    sent = run("submit", "r", "--wait", "--json")
    assert sent.code == 0 and sent.document["counts"]["succeeded"] == 6
    names = [row["custom_id"] for job in ("r-sample", "r") for row in run("results", job).rows]
    assert sorted(names) == [f"r{n}" for n in range(10)]
    assert run("submit", file, "--sample", "10").code == 2


def refused(child: pexpect.spawn[str], most: str, requests: str) -> None:
    """See the most that it costs and the question, and answer it with no."""
    child.expect(f"Cost: up to .{most}")
    child.expect_exact(f"Send {requests} for gpt-5-mini to OpenAI with account paid? [y/N] ")
    child.sendline("n")
    assert ended(child)[0] == 130


def test_the_question_names_the_cost(spawn: Spawn, run: Run, file: Path, server: Served) -> None:
    child = spawn("submit", file, "--account", "paid")
    refused(child, "0.01", "10 requests")


def test_the_question_about_a_stored_job_names_the_cost(
    spawn: Spawn, run: Run, file: Path, server: Served
) -> None:
    assert run("submit", file, "--account", "paid", "--sample", "4", "-y").code == 0
    child = spawn("submit", "r")
    refused(child, "0.006", "6 requests")


def test_the_question_about_a_retry_names_the_cost(
    spawn: Spawn, run: Run, tmp_path: Path, server: Served
) -> None:
    file = tmp_path / "bad.jsonl"
    text = "sandbox:flaky=500"
    file.write_text(request_line("a", text, model="gpt-5-mini", max_tokens=1000))
    assert run("submit", file, "--account", "paid", "--wait", "-y").code == 1
    child = spawn("retry", "bad", "--max-tokens", "x4")
    refused(child, "0.004", "1 request")
