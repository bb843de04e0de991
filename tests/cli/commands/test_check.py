"""``check``: report, document and exit code; nothing is sent or stored."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.conftest import REQUESTS, Run, request_line
from tests.end_to_end.servers import join_all, sandbox


def test_a_good_file_is_exit_code_0(run: Run, requests: Path) -> None:
    done = run("check", requests, "--json")
    assert done.code == 0
    assert done.document["ok"] is True
    assert done.document["rows"] == 3
    assert done.document["models"] == {"gpt-4": 3}
    assert done.document["problems"] == []
    assert "✓ ready to submit" in run("check", requests).out
    assert run("list", "--json").document == []


def test_a_bad_file_is_exit_code_2_with_every_problem_on_its_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(REQUESTS + "xx\n" + request_line("req-1", "again"))
    done = run("check", file, "--json")
    assert done.code == 2
    assert done.document["ok"] is done.document["ok_when_fixed"] is False
    lines = {problem["line"]: problem["code"] for problem in done.document["problems"]}
    assert lines == {4: "not_json", 5: "duplicate_custom_id"}
    assert done.err.startswith(f"error: {file} cannot be submitted: 2 problems\nhint: ")
    shown = run("check", file)
    assert shown.code == 2
    assert "   4  error  not JSON" in shown.out


def test_a_file_with_small_faults_gets_a_hint(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "soft.jsonl"
    file.write_bytes(REQUESTS.replace("\n", "\r\n").encode())
    done = run("check", file, "--json")
    assert done.code == 2
    assert done.document["ok_when_fixed"] is True
    assert "submit --fix" in done.err


def test_many_problems_of_a_kind_are_counted(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("xx\n" * 50)
    done = run("check", file, "--json")
    assert done.document["found"] == {"not_json": 50}
    assert len(done.document["problems"]) == 20
    assert "and 30 more of the same kinds" in run("check", file).out


def test_an_unreadable_file_is_exit_code_2(run: Run, tmp_path: Path, requests: Path) -> None:
    for arguments in ([tmp_path / "gone"], [tmp_path], [requests, "--account", "bogus"]):
        done = run("check", *arguments, "--json")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: ")


def test_exact_tokens_are_counted_by_the_provider(run: Run, requests: Path, home: Path) -> None:
    done = run("check", requests, "--exact")
    assert done.code == 2 and "cannot count tokens" in done.err
    rows = REQUESTS.replace('"model": "gpt-4"', '"model": "claude-haiku-4-5", "max_tokens": 9')
    requests.write_text(rows)
    with sandbox("anthropic") as server:
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text(
            f'[accounts.there]\nprovider = "anthropic"\nbase_url = "{server.url}"\n'
        )
        os.environ["BATCHDECK_KEY_THERE"] = "sk-1"
        try:
            done = run("check", requests, "--exact", "--account", "there", "--json")
            shown = run("check", requests, "--exact", "--account", "there").out
        finally:
            del os.environ["BATCHDECK_KEY_THERE"]
        assert server.count("POST", "/count_tokens") == 6
    join_all()
    assert done.code == 0, done.err
    assert done.document["cost"]["exact_tokens"] is True
    assert "counted the tokens of every row" in shown and "input tokens" in shown
