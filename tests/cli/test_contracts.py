"""What scripts rely on: exit codes, how jobs are named, and which commands ask."""

from __future__ import annotations

import ast
import inspect
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

import tui.cli
from tests.cli.broken_providers import closed_port, no_retry_delays
from tests.cli.conftest import Done, isolate, request_line, run_here
from tui.cli.program import program


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a home, files and jobs, and accounts without a key or a server."""
    folder = tmp_path_factory.mktemp("contracts")
    (folder / "good.jsonl").write_text(request_line("a", "What is 2+2?", max_tokens=9))
    (folder / "bad.jsonl").write_text(request_line("a", "sandbox:fail=400"))
    (folder / "broken.jsonl").write_text("{\n")
    (folder / "rows.csv").write_text("there already\n")
    (folder / "source.py").write_text("def rows():\n    yield {'text': 'bread'}\n")
    (folder / "table.csv").write_text("text\nbread\n")
    with pytest.MonkeyPatch.context() as patch:
        isolate(folder / "home", patch)
        patch.chdir(folder)
        no_retry_delays(folder / "home", "tensorzero")
        with (folder / "home" / "config.toml").open("a") as config:
            config.write('[actions.say]\ncommand = ["cat"]\nconfirm = true\n')
        far = f"http://127.0.0.1:{closed_port()}/v1"
        for command in (
            f"accounts add far --provider tensorzero --base-url {far}",
            "submit good.jsonl --name base --wait",
            "submit good.jsonl --name other --wait",
            "submit bad.jsonl --name failed --wait",
            "compose table.csv -t {text} -m sandbox-small -o composed.jsonl",
            "submit composed.jsonl --name composed --wait",
            "compose -t {text} -m sandbox-small --save-template kept",
            "completion install bash -y",
        ):
            done = run_here(*command.split())
            assert done.code == ("failed" in command), done.err
        assert (
            run_here(*["submit", "good.jsonl", "--name", "later", "--account", "far", "-y"]).code
            == 3
        )
        yield folder


@pytest.fixture
def folder(shared_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared folder as the working directory of a test."""
    isolate(shared_folder / "home", monkeypatch)
    monkeypatch.chdir(shared_folder)
    return shared_folder


@pytest.fixture
def questions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions asked on a terminal; each is answered with no."""
    questions: list[str] = []

    async def no() -> str:
        return "n\n"

    for module in ("session", "commands.compose", "commands.jobs"):
        monkeypatch.setattr(f"tui.cli.{module}.is_terminal", lambda stream: True)
    # The sandbox counts as a paid service here: a retry goes to the job's own account.
    monkeypatch.setattr("tui.engine.accounts.AccountInfo.is_free", False)
    monkeypatch.setattr("tui.cli.session._line_from_stdin", no)
    monkeypatch.setattr("tui.cli.session.write_stderr", questions.append)
    return questions


EXIT_CODES: tuple[tuple[int, str], ...] = (
    (0, "submit good.jsonl --name fine --wait"),
    (0, "submit bad.jsonl --name sent"),
    (0, "watch base"),
    (0, "check good.jsonl"),
    (0, "compare base other"),
    (0, "experiment show base other"),
    (2, "experiment show nothing-is-called-so"),
    (2, "experiment show base base"),
    (2, "experiment show base other --gold in.label"),
    (5, "experiment run table.csv --name dear -t {text} -m m --account far --budget 0 -y"),
    (1, "submit bad.jsonl --name failing --wait"),
    (1, "watch failed"),
    (1, "compare base failed"),
    (2, "submit"),
    (2, "submit nowhere.jsonl"),
    (2, "submit broken.jsonl"),
    (2, "check broken.jsonl"),
    (2, "show nothing-is-called-so"),
    (2, "list --status gone"),
    (2, "list --account unknown"),
    (2, "results base --where tokens:many"),
    (2, "export base -o rows.unknown"),
    (2, "cancel base -y"),
    (2, "delete base"),
    (3, "submit good.jsonl --account far -y"),
    (3, "sync --account far"),
    (3, "accounts test far"),
    (4, "submit good.jsonl --account openai -y"),
    (4, "keys status openai"),
    (4, "sync --account openai"),
    (5, "submit good.jsonl --account far --budget 0 -y"),
)

FAILING_WITH_DOCUMENT = {"check broken.jsonl", "keys status openai"}
"""Commands that fail with a document, because it describes the problem."""


@pytest.mark.parametrize(("code", "words"), EXIT_CODES, ids=lambda value: str(value))
def test_exit_codes(code: int, words: str, folder: Path) -> None:
    done = run_here(*words.split(), "--json")
    assert done.code == code, done.err
    if code > 1:
        assert done.out == "" or words in FAILING_WITH_DOCUMENT
        assert done.err.splitlines()[-2 if "hint: " in done.err else -1].startswith("error: ")


ASKING: Mapping[str, str] = {
    "action": "action say base",
    "cancel": "cancel base",
    "deadline": "deadline later +6h",
    "delete": "delete base",
    "export": "export base -o rows.csv",
    "submit": "submit good.jsonl --account far",
    "again": "again composed --account far",
    "try": "try good.jsonl --account far",
    "retry": "retry failed --all",
    "experiment run": "experiment run table.csv --name asked -t {text} -m m --account far",
    "compose": "compose table.csv -t {text} -m m -o made.jsonl --try 1 --account far",
    "keys remove": "keys remove far",
    "templates remove": "templates remove kept",
    "completion install": "completion install zsh",
    "completion uninstall": "completion uninstall bash",
}
"""Every command that asks before it spends or loses something, or writes a file of the shell."""


@pytest.mark.parametrize("words", ASKING.values(), ids=ASKING)
def test_commands_that_cost_or_delete_ask_first(
    words: str, folder: Path, questions: list[str]
) -> None:
    done = run_here(*words.split())
    assert done.code == 130, done.err
    (question,) = [text for text in questions if "[y/N]" in text]
    assert question.endswith("? [y/N] ")
    assert done.err.endswith("Nothing was done.\n")


def test_commands_that_ask_have_yes_and_no_others() -> None:
    assert {words for words, command in _leaves(program) if _has(command, "yes")} == set(ASKING)


@pytest.mark.parametrize("words", ASKING.values(), ids=ASKING)
def test_yes_skips_the_question(words: str, folder: Path, questions: list[str]) -> None:
    if words == "delete base":
        # The other tests need the job; that `delete -y` asks nothing is what is looked at.
        run_here("submit", "good.jsonl", "--name", "spare", "--wait", "-y")
        words = "delete spare"
    run_here(*words.split(), "-y")
    assert not [text for text in questions if "[y/N]" in text]


def test_every_question_uses_confirm() -> None:
    """A command that asks in another way would ignore ``--yes``."""
    own = Path(tui.cli.__file__).parent
    for path in own.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in {"input", "click.confirm", "click.prompt"}, path.name


class Naming(NamedTuple):
    """A command that takes a job, and how its document names the job."""

    words: str
    found: Callable[[Done], object]


def _id(done: Done) -> object:
    return done.document["id"]


NAMINGS: Mapping[str, Naming] = {
    "show": Naming("show {job}", _id),
    "collect": Naming("collect {job}", _id),
    "watch": Naming("watch {job}", _id),
    "tag": Naming("tag {job} x", _id),
    "deadline": Naming("deadline {job}", _id),
    "action": Naming("action say {job} -y", lambda d: d.document["job"]),
    "provenance": Naming("provenance {job}", lambda d: d.document["job"]["id"]),
    "retry": Naming("retry {job} --dry-run --outcome succeeded", lambda d: d.document["job"]),
    "export": Naming("export {job} -o out.csv -y", lambda d: d.document["job"]),
    "summary": Naming("summary {job}", lambda d: d.document["job_id"]),
    "compare": Naming("compare other {job}", lambda d: d.document["right"]["job_id"]),
    "experiment show": Naming(
        "experiment show other {job}", lambda d: d.document["variants"][1]["job_id"]
    ),
    "evaluate": Naming("evaluate {job} --gold custom_id", lambda d: d.document["job"]),
    "reindex": Naming("reindex {job}", lambda d: d.document["job"]),
    "facet": Naming("facet {job} outcome", lambda d: d.document["job"]),
    "describe": Naming("describe {job}", lambda d: d.document["job"]),
    "pivot": Naming("pivot {job} outcome model", lambda d: d.document["job"]),
    "column": Naming("column {job}", lambda d: d.document["job"]),
    "review": Naming("review {job}", lambda d: d.document["job"]),
}
"""Commands whose document names the job."""

FINDING = {
    "results": "results {job} --limit 0",
    "cancel": "cancel {job} -y",
    "submit": "submit {job}",
    "again": "again {job}",
    "delete": "delete {job} -y",
    "adopt": "adopt batch_nowhere --job {job}",
}
"""Commands whose answer does not: no job of that name is what they may not say."""


@pytest.mark.parametrize("way", ["id", "prefix", "name"])
@pytest.mark.parametrize("command", NAMINGS)
def test_a_job_is_named_by_id_prefix_or_name(command: str, way: str, folder: Path) -> None:
    job_id = str(run_here("show", "base", "--json").document["id"])
    word = {"id": job_id, "prefix": job_id[:8], "name": "base"}[way]
    naming = NAMINGS[command]
    done = run_here(*naming.words.format(job=word).split(), "--json")
    assert done.code == 0, done.err
    assert naming.found(done) == job_id


@pytest.mark.parametrize("way", ["id", "prefix", "name"])
@pytest.mark.parametrize("command", FINDING)
def test_the_other_commands_find_the_job_too(command: str, way: str, folder: Path) -> None:
    job_id = run_here("submit", "good.jsonl", "--name", f"{command}-{way}", "--json").document["id"]
    word = {"id": job_id, "prefix": job_id[:8], "name": f"{command}-{way}"}[way]
    done = run_here(*FINDING[command].format(job=word).split())
    assert "no job" not in done.err
    lost = run_here(*FINDING[command].format(job="no-such-job").split())
    assert lost.code == 2
    assert "no job" in lost.err


def test_every_command_that_takes_a_job_is_in_a_table() -> None:
    taking = {
        words
        for words, command in _leaves(program)
        if any(_completes(parameter, "jobs") for parameter in command.params)
    }
    assert taking == set(NAMINGS) | set(FINDING)


def test_arguments_for_jobs_and_accounts_are_completed() -> None:
    for words, command in _leaves(program):
        for parameter in command.params:
            name = parameter.name or ""
            if name in {"job", "left", "right", "job_refs"}:
                assert _completes(parameter, "jobs"), (words, name)
            if name == "account":
                assert _completes(parameter, "accounts"), (words, name)


def completions(shell: str, words: str) -> str:
    """The completions that a shell gets for the last word."""
    begun = words.split(" ")[-1]
    # fish hands over the word that is begun, the others its place (click.shell_completion).
    place = begun if shell == "fish" else str(words.count(" "))
    env = {"_BATCHDECK_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": place}
    result = CliRunner().invoke(program, [], env=env)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_jobs_and_accounts(shell: str, folder: Path) -> None:
    for words, wanted in (
        ("batchdeck expo", "export"),
        ("batchdeck show bas", "base"),
        ("batchdeck compare base oth", "other"),
        ("batchdeck adopt x --job bas", "base"),
        ("batchdeck sync --account fa", "far"),
        ("batchdeck keys status fa", "far"),
    ):
        assert wanted in completions(shell, words)
        assert completions(shell, f"{words}-and-more").strip() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_generated(shell: str, folder: Path) -> None:
    result = CliRunner().invoke(program, [], env={"_BATCHDECK_COMPLETE": f"{shell}_source"})
    assert result.exit_code == 0
    assert f"_BATCHDECK_COMPLETE={shell}_complete" in result.stdout
    if found := shutil.which(shell):
        syntax = subprocess.run([found, "-n"], input=result.stdout, text=True, check=False)
        assert syntax.returncode == 0


def _leaves(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{before}{name} ")
        else:
            yield before + name, command


def _has(command: click.Command, name: str) -> bool:
    return any(parameter.name == name for parameter in command.params)


def _completes(parameter: click.Parameter, what: str) -> bool:
    own = parameter._custom_shell_complete
    return own is not None and what in getattr(inspect.unwrap(own), "__name__", "")
