"""``try``: one request and its answer; nothing is stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run, request_line
from tests.cli.test_terminal import Spawn, ended
from tests.cli.test_terminal import spawn as spawn
from tests.end_to_end.servers import join_all, sandbox


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.jsonl"
    rows = ["What is 2+2?", "sandbox:say=it is \x1b[31mred", "sandbox:fail=429"]
    path.write_text("".join(request_line(f"r{n}", text) for n, text in enumerate(rows, 1)))
    return path


def test_prompt_and_answer_are_shown(run: Run, file: Path) -> None:
    done = run("try", file)
    assert done.code == 0
    assert "prompt\n  user: What is 2+2?\n" in done.out
    assert "answer\n  Simulated answer" in done.out
    assert run("list", "--json").document == []


def test_the_document_has_request_and_answer(run: Run, file: Path) -> None:
    document = run("try", file, "--line", "2", "--json").document
    assert document["custom_id"] == "r2" and document["outcome"] == "succeeded"
    assert document["text"] == "it is \x1b[31mred"
    assert document["request"]["custom_id"] == "r2"
    assert document["answer"]["object"] == "chat.completion"
    assert "\x1b" not in run("try", file, "--line", "2").out


def test_errors_have_their_exit_codes(run: Run, file: Path) -> None:
    assert run("try", file, "--line", "3").code == 3
    assert run("try", file, "--line", "4").code == 2
    assert run("try", "gone.jsonl").code == 2
    assert run("try", file, "--account", "openai").code == 4


def test_scaledown_is_tried_too(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_KEY_SD", "sk-trying-4f1c0de5ba5e")
    source, template, out = (tmp_path / name for name in ("t.txt", "s.toml", "o.jsonl"))
    source.write_text("A long text about ships.\n")
    template.write_text('kind = "summarize"\nuser = "{text}"\n')
    with sandbox("scaledown") as server:
        run("accounts", "add", "sd", "--provider", "scaledown", "--base-url", server.url)
        done = run("compose", source, "-t", template, "-o", out, "--account", "sd")
        assert done.code == 0, done.err
        tried = run("try", out, "--account", "sd", "--json")
        assert tried.code == 0, tried.err
        assert "summary" in json.loads(tried.document["text"])
    join_all()


def test_try_asks_before_it_costs(spawn: Spawn, run: Run, file: Path) -> None:
    run(
        "accounts", "add", "paid", "--provider", "tensorzero", "--base-url", "http://127.0.0.1:9/v1"
    )
    child = spawn("try", file, "--account", "paid")
    child.expect_exact("Send request 1 to TensorZero with account paid? [y/N] ")
    child.sendline("n")
    assert ended(child)[0] == 130
