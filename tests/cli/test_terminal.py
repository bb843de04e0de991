"""On a terminal: questions, bars, colours, Ctrl-C; and signals without one."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.broken_providers import closed_port
from tests.cli.conftest import Run, command, request_line

Spawn = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def spawn(environment: dict[str, str], tmp_path: Path) -> Iterator[Spawn]:
    """Run the program in a terminal of 80 by 24 cells."""
    children = []

    def start(*arguments: str | Path, **variables: str) -> pexpect.spawn[str]:
        first, *rest = command(*arguments)
        child = pexpect.spawn(
            first,
            rest,
            env={**environment, "TERM": "xterm", **variables},
            dimensions=(24, 80),
            encoding="utf-8",
            timeout=60,
            cwd=str(tmp_path),
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def ended(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    """The exit code, and the output since the last read."""
    child.expect(pexpect.EOF)
    shown = child.before
    child.close()
    assert isinstance(shown, str)
    return child.exitstatus, shown


@pytest.fixture
def paid(run: Run) -> str:
    """An account that is not free and cannot be reached."""
    url = f"http://127.0.0.1:{closed_port()}/v1"
    assert run("accounts", "add", "paid", "--provider", "tensorzero", "--base-url", url).code == 0
    return "paid"


@pytest.fixture
def long_job(tmp_path: Path) -> Path:
    """A file that takes a sandbox with one row per second ten minutes."""
    file = tmp_path / "long.jsonl"
    file.write_text("".join(request_line(f"r{n}", "What is 2+2?") for n in range(600)))
    return file


def test_submit_asks_before_money_is_spent(
    spawn: Spawn, run: Run, requests: Path, paid: str
) -> None:
    child = spawn("submit", requests, "--account", paid)
    child.expect_exact("Send 3 requests for gpt-4 to TensorZero with account paid? [y/N] ")
    child.sendline("n")
    code, shown = ended(child)
    assert code == 130
    assert "Nothing was done." in shown
    assert run("list", "--json").document == []


def test_y_continues(spawn: Spawn, requests: Path, paid: str) -> None:
    child = spawn("submit", requests, "--account", paid)
    child.expect_exact("[y/N] ")
    child.sendline("y")
    code, shown = ended(child)
    assert code == 3
    assert "Cannot reach TensorZero" in shown


def test_no_question_with_yes_or_for_the_sandbox(spawn: Spawn, requests: Path, paid: str) -> None:
    code, shown = ended(spawn("submit", requests, "--account", paid, "-y"))
    assert code == 3
    assert "[y/N]" not in shown
    code, shown = ended(spawn("submit", requests, "--wait"))
    assert code == 0
    assert "[y/N]" not in shown


@pytest.mark.parametrize("verb", ["cancel", "delete"])
def test_ctrl_c_and_ctrl_d_answer_no(verb: str, spawn: Spawn, run: Run, requests: Path) -> None:
    job_id = run("submit", requests, "--json").document["id"]
    child = spawn(verb, job_id)
    child.expect_exact("[y/N] ")
    child.sendintr()
    code, shown = ended(child)
    assert code == 130
    assert re.search(r"\n.*error:.* interrupted", shown)
    child = spawn(verb, job_id)
    child.expect_exact("[y/N] ")
    child.sendeof()
    code, shown = ended(child)
    assert code == 130
    assert "\nNothing was done." in shown.replace("\r", "")
    assert len(run("list", "--json").document) == 1


def test_the_bar_is_removed_at_the_end(
    spawn: Spawn, tmp_path: Path, environment: dict[str, str]
) -> None:
    import pyte

    file = tmp_path / "some.jsonl"
    file.write_text("".join(request_line(f"r{n}", "What is 2+2?") for n in range(300)))
    child = spawn("submit", file, "--wait", BATCHDECK_SANDBOX_ROWS_PER_SECOND="100", COLUMNS="200")
    code, shown = ended(child)
    assert code == 0
    steps = [int(step) for step in re.findall(r"(\d+)%  \d+/300", shown)]
    assert steps == sorted(steps)
    assert len(set(steps)) > 2
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(shown)
    lines = [line.rstrip() for line in screen.display if line.strip()]
    assert lines[0].startswith("job ")
    assert lines[3].endswith("300: 300 succeeded")
    assert not any("%" in line for line in lines)


def test_colours_on_a_terminal_and_not_with_no_color(
    spawn: Spawn, run: Run, requests: Path
) -> None:
    run("submit", requests, "--wait")
    assert "\x1b[32m✓ completed\x1b[0m" in ended(spawn("list"))[1]
    plain = ended(spawn("list", NO_COLOR="1"))[1]
    assert "✓ completed" in plain
    assert "\x1b" not in plain


def test_json_on_a_terminal_is_indented(spawn: Spawn, run: Run, requests: Path) -> None:
    run("submit", requests, "--wait")
    assert '\r\n    "id": "' in ended(spawn("list", "--json"))[1]


def test_a_typed_key_is_not_shown(spawn: Spawn) -> None:
    child = spawn("keys", "set", "openai")
    child.expect_exact("API key for openai: ")
    child.sendline("sk-very-secret")
    _, shown = ended(child)
    assert "secret" not in shown


def test_ctrl_c_while_waiting_leaves_the_job_running(
    spawn: Spawn, run: Run, long_job: Path
) -> None:
    child = spawn("submit", long_job, "--wait", BATCHDECK_SANDBOX_ROWS_PER_SECOND="1")
    child.expect_exact("in progress")
    child.sendintr()
    code, shown = ended(child)
    assert code == 130
    assert "interrupted" in shown
    assert "Traceback" not in shown
    (job,) = run("list", "--json").document
    assert job["status"] == "in_progress"
    assert job["batches"][0]["remote_id"]


@pytest.mark.parametrize("moment", ["submitting", "submitted as"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_program_after_storing_answers(
    number: signal.Signals, moment: str, environment: dict[str, str], run: Run, long_job: Path
) -> None:
    with subprocess.Popen(
        command("submit", long_job, "--wait", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "BATCHDECK_SANDBOX_ROWS_PER_SECOND": "1"},
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if moment in line:
                break
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.stdout.read() == ""
        assert process.wait(60) == 130
    assert "error: interrupted\nhint: " in rest
    assert "Traceback" not in rest
    (job,) = run("list", "--json").document
    assert job["batches"][0]["submission"] == "running"
    assert job["batches"][0]["remote_id"]
