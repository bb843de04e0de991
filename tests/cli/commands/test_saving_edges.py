"""Less is sent: what a user with real money sees at the edges of --dedupe and --reuse."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.commands.test_budget import server as server
from tests.cli.conftest import Run, request_line
from tests.cli.test_terminal import Spawn
from tests.cli.test_terminal import spawn as spawn
from tests.end_to_end.servers import Served


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Four requests, two of them distinct."""
    path = tmp_path / "r.jsonl"
    texts = ["n/a", "good", "n/a", "good"]
    path.write_text("".join(request_line(f"r{n}", text, model="gpt-5-mini", max_tokens=1000)
                            for n, text in enumerate(texts)))  # fmt: skip
    return path


@pytest.mark.parametrize("options", [[], ["--sample", "2"], ["--dedupe"]])
def test_a_file_whose_answers_are_all_there_asks_for_nothing(
    spawn: Spawn, run: Run, file: Path, server: Served, options: list[str]
) -> None:
    assert run("submit", file, "--account", "paid", "--name", "first", "--wait").code == 0
    child = spawn("submit", file, "--account", "paid", "--reuse", *options)
    child.expect_exact("4 rows have an answer already (first 4).")
    child.expect("completed")
    assert "[y/N]" not in child.before


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_repeats_are_counted_in_files_that_have_to_be_fixed(
    run: Run, tmp_path: Path, start: bytes
) -> None:
    line = request_line("a", "x", model="gpt-5-mini").strip().encode()
    other = request_line("b", "x", model="gpt-5-mini").strip().encode()
    path = tmp_path / "windows.jsonl"
    path.write_bytes(start + line + b"\r\n\r\n" + other + b"\r\n")
    assert run("check", path, "--json").document["repeats"] == 1
    done = run("submit", path, "--fix", "--dedupe", "--wait", "--json")
    assert done.code == 0, done.err
    assert done.document["batches"][0]["rows"] == 1


def ledger(home: Path) -> list[tuple[float, float, int]]:
    """Amount, estimate and rows of every expense."""
    with closing(sqlite3.connect(home / "history.db")) as history:
        return history.execute("SELECT amount, estimated, rows FROM ledger").fetchall()


def test_the_ledger_has_the_estimate_of_what_is_sent(
    run: Run, file: Path, server: Served, home: Path
) -> None:
    job = run("submit", file, "--account", "paid", "--dedupe", "--json").document
    ((amount, estimated, rows),) = ledger(home)
    assert rows == 2
    assert amount == estimated == pytest.approx(job["cost"]["estimated"])
    # What is restored from the folder of a job is the same.
    for path in home.glob("history.db*"):
        path.unlink()
    assert run("reindex").code == 0
    ((amount, estimated, rows),) = ledger(home)
    assert amount == estimated == pytest.approx(job["cost"]["estimated"])


def test_repeats_do_not_distort_later_estimates(run: Run, tmp_path: Path, server: Served) -> None:
    def expected(name: str) -> float:
        return float(
            run("check", tmp_path / name, "--account", "paid", "--json").document["cost"][
                "expected"
            ]
        )

    for name, texts in (("plain", range(30)), ("same", [*range(30)] * 4)):
        path = tmp_path / name
        rows = (
            request_line(f"r{n}", f"text {text}", model="gpt-5-mini", max_tokens=1000)
            for n, text in enumerate(texts)
        )
        path.write_text("".join(rows))
    assert run("submit", tmp_path / "plain", "--account", "paid", "--wait").code == 0
    before = expected("plain")
    assert run("submit", tmp_path / "same", "--account", "paid", "--dedupe", "--wait").code == 0
    assert expected("plain") == pytest.approx(before, rel=0.01)


def test_a_submit_that_failed_is_repeated_as_it_was_meant(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_KEY_DEAD", "sk-budget-4f1c0de5ba5e")
    url = "http://127.0.0.1:9/v1"
    assert run("accounts", "add", "dead", "--provider", "openai", "--base-url", url).code == 0
    done = run("submit", file, "--account", "dead", "--dedupe", "--reuse", "--reuse-since", "2d")
    assert done.code == 3
    (job,) = run("list", "--json").document
    assert f"`batchdeck submit {job['id']} --dedupe --reuse --reuse-since 48h`" in done.err
    # Even without these words it does not become more that is sent.
    assert run("submit", job["id"]).code == 3
    (batch,) = run("show", job["id"], "--json").document["batches"]
    assert (batch["rows"], batch["repeats"]) == (2, 2)
