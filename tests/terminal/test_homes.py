"""Homes that cannot be written, and files as other programs save them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal

pytestmark = pytest.mark.long

ESCAPE = "\x1b"
_USER = ("unshare", "--user", "--map-user=12345")


@pytest.fixture
def other_user() -> tuple[str, ...]:
    """What a command begins with to run as a user with ordinary rights."""
    if os.geteuid() != 0:
        return ()
    if shutil.which(_USER[0]) is None:
        pytest.skip("root may write everywhere, and there is no unshare")
    if subprocess.run([*_USER, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root may write everywhere, and this machine has no user namespaces")
    return _USER


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    path = tmp_path / "two.jsonl"
    body = '{"model":"sandbox-small","messages":[{"role":"user","content":"hello"}]}'
    lines = (
        f'{{"custom_id":"r{n}","method":"POST","url":"/v1/chat/completions","body":{body}}}\n'
        for n in range(2)
    )
    path.write_text("".join(lines))
    return path


def batchdeck(
    home: Path, *arguments: str, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BATCHDECK_HOME": str(home), "HOME": str(home.parent)}
    environment |= {"BATCHDECK_SANDBOX_ROWS_PER_SECOND": "0"}
    return subprocess.run(
        [*prefix, sys.executable, "-m", "tui", *arguments],
        env=environment, capture_output=True, text=True, check=False, cwd=home.parent,
    )  # fmt: skip


@pytest.fixture
def unwritable(tmp_path: Path, requests: Path) -> Iterator[Path]:
    """A home with one job, without the right to write."""
    home = tmp_path / "home"
    done = batchdeck(home, "submit", str(requests), "--name", "one", "--wait", "-y")
    assert done.returncode == 0, done.stderr
    places = [home, *home.rglob("*")]
    modes = [place.stat().st_mode for place in places]
    for place, mode in zip(places, modes, strict=True):
        place.chmod(mode & ~0o222)
    yield home
    for place, mode in zip(places, modes, strict=True):
        place.chmod(mode)


def test_the_history_of_a_home_that_cannot_be_written_is_shown(
    tmp_path: Path, unwritable: Path, other_user: tuple[str, ...]
) -> None:
    variables = {"BATCHDECK_HOME": str(unwritable)}
    terminal = Terminal(home=tmp_path, more=variables, prefix=other_user)
    try:
        terminal.see("Read only", "cannot be written", "choose another with --home")
        terminal.press(ESCAPE)
        terminal.until(lambda text: "Read only" not in text)
        terminal.press("\r")
        terminal.see("Simulated answer")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()


@pytest.mark.parametrize(
    "words",
    [
        ["list"], ["show", "one"], ["results", "one"], ["summary", "one"],
        ["export", "one", "-o", "out.csv"], ["collect", "one"], ["watch", "one"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_what_only_reads_works_in_a_home_that_cannot_be_written(
    unwritable: Path, other_user: tuple[str, ...], words: list[str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    done = batchdeck(unwritable, *words, prefix=other_user)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr


@pytest.mark.parametrize("words", [["submit", "two.jsonl", "-y"], ["tag", "one", "x"]])
def test_what_writes_says_which_folder_cannot_be_written(
    unwritable: Path, other_user: tuple[str, ...], words: list[str]
) -> None:
    done = batchdeck(unwritable, *words, prefix=other_user)
    error, hint = done.stderr.splitlines()
    assert done.returncode == 2
    assert error.startswith(f"error: {unwritable}")
    assert "permissions of the folder" in hint


def test_doctor_checks_a_home_that_cannot_be_written(
    unwritable: Path, other_user: tuple[str, ...]
) -> None:
    done = batchdeck(unwritable, "doctor", prefix=other_user)
    assert "~/home cannot be written" in done.stdout
    assert "cannot read the history" not in done.stdout
    assert "reindex" not in done.stderr


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_bytes(b'\xef\xbb\xbftheme = "batchdeck-light"\n')
    listed = batchdeck(home, "list")
    assert (listed.returncode, listed.stderr) == (0, "No jobs yet.\n")
    added = batchdeck(home, "accounts", "add", "work", "--provider", "openai")
    assert added.returncode == 0, added.stderr
    assert 'theme = "batchdeck-light"' in (home / "config.toml").read_text("utf-8-sig")


def test_a_name_with_two_colons_is_a_file_first(tmp_path: Path) -> None:
    (tmp_path / "a::b.csv").write_text("id,text\n1,good\n")
    words = ("compose", "a::b.csv", "-t", "{text}", "-m", "m", "--preview")
    done = batchdeck(tmp_path / "home", *words)
    assert done.returncode == 0, done.stderr
    assert '"content": "good"' in done.stdout


def test_x2_is_refused_where_no_row_has_max_tokens(tmp_path: Path) -> None:
    rows = "".join(f"{n},row {n} sandbox:truncate\n" for n in range(6))
    (tmp_path / "t.csv").write_text(f"id,text\n{rows}")
    home = tmp_path / "home"
    made = batchdeck(home, "compose", "t.csv", "-t", "{text}", "-m", "m", "-o", "t.jsonl")
    assert made.returncode == 0, made.stderr
    batchdeck(home, "submit", "t.jsonl", "--wait", "-y")
    refused = batchdeck(home, "retry", "t", "--outcome", "truncated", "--max-tokens", "x2", "-y")
    assert refused.returncode == 2
    assert "no max_tokens in these requests" in refused.stderr

    terminal = Terminal(home=tmp_path, more={"BATCHDECK_HOME": str(home)})
    try:
        terminal.see("completed", "cut off")
        terminal.press("\r")
        terminal.see("truncated", "Simulated")
        terminal.press("E\r")
        terminal.see("esc show all")
        terminal.press("R")
        terminal.see("Edit and retry", "no change")
        assert "max_tokens     x2" not in terminal.text
        terminal.press("\x13")
        terminal.see("fill in a field first")
        terminal.press("\tx2")
        terminal.see("no max_tokens in these requests")
        terminal.press("\x13")
        terminal.press(ESCAPE)
        terminal.until(lambda text: "╭─ Edit and retry" not in text)
        assert "Retry 6 rows?" not in terminal.text
    finally:
        terminal.kill()
