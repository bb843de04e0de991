"""The manual page names every command and option, and formatters accept it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.conftest import Run
from tui.cli.commands.reference.manual import commands_of, page
from tui.cli.program import program


def test_every_command_and_option_is_in_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    text = run("man").out
    assert text.startswith(".TH BATCHDECK 1 1970-01-01 ")
    assert text.rstrip("\n").split("\n") == list(page(program))
    for words, command in commands_of(program):
        section = text.partition(f'.SS "batchdeck {words}"\n')[2].partition(".SS ")[0]
        assert section, words
        for parameter in command.params:
            for option in (one for one in parameter.opts if one.startswith("--")):
                assert option.replace("-", "\\-") in section, (words, option)


def test_no_line_is_taken_for_a_request() -> None:
    known = {".TH", ".SH", ".SS", ".PP", ".TP", ".nf", ".fi", ".B"}
    lines = list(page(program))
    assert {line.split()[0] for line in lines if line.startswith(".")} == known
    assert not any(line.startswith("'") or "\n" in line for line in lines)


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs mandoc")
def test_mandoc_has_no_warning() -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning"],
        input="\n".join(page(program)) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
