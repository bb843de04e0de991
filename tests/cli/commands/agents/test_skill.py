"""The SKILL.md for coding agents: its loop runs, and it names every command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tui.cli.program import program


def test_every_command_is_named(run: Run) -> None:
    text = run("skill").out
    named = re.findall(r"^- `([\w-]+)`: \S", text, flags=re.M)
    assert named == [name for name, command in program.commands.items() if not command.hidden]
    assert text.startswith("---\nname: batchdeck\n")


def test_the_loop_runs_as_it_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("id,text\n1,nice\n2,sandbox:flaky=500\n", "utf-8")
    block = run("skill").out.partition("```sh\n")[2].partition("```")[0]
    codes: dict[str, int] = {}
    for line in block.splitlines():
        words = line.replace("MODEL", "sandbox-small").replace("ACCOUNT", "sandbox")
        program_name, verb, *rest = shlex.split(words)
        assert program_name == "batchdeck"
        codes[verb] = run(verb, *rest).code
        if verb == "retry":
            assert run("watch", "rows").code == 0
    # The exit code of a watch says that a row has failed.
    assert codes == {
        "compose": 0, "check": 0, "submit": 0, "watch": 1, "results": 0, "retry": 0, "export": 0,
    }  # fmt: skip
    assert len((tmp_path / "answers.csv").read_text("utf-8").splitlines()) == 3
