"""The program as a whole: help, usage errors, the two lines on stderr, nothing on stdout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.cli.conftest import Run, command
from tui import __version__
from tui.cli import errors
from tui.cli.options import Settings
from tui.cli.program import program
from tui.errors import BatchdeckError, InputError, KeyRejectedError, QuotaError, UnreachableError


def test_help_lists_commands_exit_codes_and_completion(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    for word in (*program.commands, "Exit codes", "130", "completion install"):
        assert word in done.out
    assert done.err == ""


@pytest.mark.parametrize("name", list(program.commands))
def test_every_command_has_help_with_json_and_home(name: str, run: Run) -> None:
    group = program.commands[name]
    paths = [[name]]
    if isinstance(group, click.Group):
        paths = [[name, sub] for sub in group.commands]
    for path in paths:
        done = run(*path, "-h")
        assert done.code == 0
        # The tour opens the dashboard and prints nothing.
        assert ("--json" in done.out) is (name != "tour")
        assert "--home DIR" in done.out


def test_help_loads_nothing_slow() -> None:
    """`tests/benchmarks/bench_startup.py` measures the time."""
    code = (
        "import sys; from tui.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], check=True, capture_output=True, text=True
    )
    loaded = set(done.stderr.split())
    slow = {
        "asyncio", "httpx", "jinja2", "jsonschema_rs", "keyring", "msgspec", "polars", "rich",
        "sqlite3", "starlette", "textual", "uvicorn",
    }  # fmt: skip
    assert not loaded & slow


def test_version(run: Run) -> None:
    assert run("--version").out == f"batchdeck {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["bogus"], "no command or file named 'bogus'", "batchdeck --help"),
        (["lst"], "no command or file named 'lst'", "Did you mean 'list'?"),
        (["list", "--statu", "x"], "no such option '--statu'", "--status"),
        (["list", "--status", "gone"], "'gone' is not one of", "batchdeck list --help"),
        (["show"], "missing argument 'JOB'", "batchdeck show --help"),
        (["retry", "x", "--set", "y"], "'y' must have the form KEY=VALUE", "retry --help"),
        (["results", "x", "--outcome", "lost"], "'lost' is not one of", "results --help"),
        (["accounts", "bogus"], "no such command 'bogus'", "accounts --help"),
        (["nowhere.jsonl"], "no such file: nowhere.jsonl", "spelling"),
        (["--demo", "list"], "--demo is for the dashboard", ""),
    ],
)
def test_a_wrong_call_gives_two_lines_and_exit_code_2(
    arguments: list[str], error: str, hint: str, run: Run
) -> None:
    done = run(*arguments)
    lines = done.err.splitlines()
    assert done.code == 2
    assert done.out == ""
    assert lines[0].startswith("error: ")
    assert error in lines[0]
    assert len(lines) == (2 if hint else 1)
    if hint:
        assert lines[1].startswith("hint: ")
        assert hint in lines[1]


def test_the_dashboard_needs_a_terminal(batchdeck: Run, requests: Path) -> None:
    for arguments in ([], [requests], ["--demo"]):
        done = batchdeck(*arguments)
        assert done.code == 2
        assert done.err.startswith("error: the dashboard needs a terminal\nhint: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BatchdeckError("x"), 3),
        (InputError("x"), 2),
        (UnreachableError("x"), 3),
        (KeyRejectedError("x"), 4),
        (QuotaError("x"), 5),
        (click.UsageError("x"), 2),
        (KeyboardInterrupt(), 130),
        (errors.InterruptedWorkError(), 130),
        (errors.DeclinedError(), 130),
        (PermissionError(13, "Permission denied", "/x"), 2),
        (ValueError("x"), 2),
    ],
)
def test_exit_codes(error: BaseException, code: int, home: Path) -> None:
    assert errors.report(error, Settings(home=home)) == code


def test_an_error_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    errors.report(UnreachableError("a\nb\x1b[2J\u202ec", "do\nthis"), Settings())
    shown = capsys.readouterr().err
    assert shown.count("\n") == 2
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_file_error_names_file_and_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("in.jsonl")
    errors.report(InputError("no body", path=path, line=7), Settings())
    errors.report(InputError("in.jsonl, line 7: no body", path=path, line=7), Settings())
    assert capsys.readouterr().err == "error: in.jsonl, line 7: no body\n" * 2


def test_the_traceback_of_an_unexpected_error_is_logged(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("tui.paths.Paths.config_file", property(explode))
    done = run("locate", "--json")
    log = home / "batchdeck.log"
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "ZeroDivisionError: boom" in done.err
    assert str(log) in done.err
    assert "Traceback" in log.read_text("utf-8")
    assert log.stat().st_mode & 0o777 == 0o600


def test_home_is_accepted_before_and_after_the_command(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    before = run("--home", other, "locate", "--json").document
    after = run("locate", "--home", other, "--json").document
    assert before == after
    assert before["history"] == str(other / "history.db")


def test_locate_lists_every_path(run: Run, home: Path) -> None:
    document = run("locate", "--json").document
    assert document["config"] == str(home / "config.toml")
    for place in document.values():
        assert place in run("locate").out


def test_a_closed_pipe_is_silent(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        command("--help"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def completed(words: str) -> list[str]:
    """The completions that bash gets for the last word."""
    last = str(len(words.split(" ")) - 1)
    env = {"_BATCHDECK_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": last}
    done = CliRunner().invoke(program, [], env=env)
    assert done.exit_code == 0
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_completes_commands_jobs_files_and_accounts(
    run: Run, requests: Path, home: Path
) -> None:
    assert completed("batchdeck expo") == ["plain,export"]
    assert completed("batchdeck show ") == []
    assert not home.exists()
    document = run("submit", requests, "--json").document
    assert completed("batchdeck show re") == ["plain,requests"]
    assert completed(f"batchdeck show {document['id'][:6]}") == [f"plain,{document['id']}"]
    assert completed("batchdeck submit re") == ["file,re", "plain,requests"]
    assert completed("batchdeck compose jo") == ["file,jo", "plain,job:"]
    assert completed("batchdeck compose job:re") == ["plain,job:requests"]
    assert completed("batchdeck check --account sa") == ["plain,sandbox"]
    (home / "config.toml").write_text("not toml", "utf-8")
    assert completed("batchdeck check --account sa") == []


def test_completion_in_a_process(batchdeck: Run) -> None:
    variables = {"COMP_WORDS": "batchdeck expo", "COMP_CWORD": "1"}
    done = batchdeck(_BATCHDECK_COMPLETE="bash_complete", **variables)
    assert (done.code, done.out.split(), done.err) == (0, ["plain,export"], "")


def test_a_command_takes_precedence_over_a_file_of_that_name(
    batchdeck: Run, tmp_path: Path
) -> None:
    (tmp_path / "locate").write_text("x", "utf-8")
    assert batchdeck("locate", "--json").code == 0
