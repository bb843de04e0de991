"""What ended, froze or emptied the dashboard, in a real terminal."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal

pytestmark = pytest.mark.long

ESCAPE, UP = "\x1b", "\x1b[A"

_HANGING_KEYRING = """
import time
import keyring.backend


class Hang(keyring.backend.KeyringBackend):
    priority = 9

    def get_password(self, service, username):
        time.sleep(600)

    set_password = delete_password = get_password
"""


def batchdeck(home: Path, *arguments: str) -> str:
    """Run a command in another process, on the same home."""
    environment = {**os.environ, "BATCHDECK_HOME": str(home / "home"), "HOME": str(home)}
    environment |= {"BATCHDECK_SANDBOX_ROWS_PER_SECOND": "0"}
    command = [sys.executable, "-m", "tui", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=home)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(home: Path, *arguments: str, size: tuple[int, int] = (100, 30), **more: str) -> Terminal:
    variables = {"BATCHDECK_HOME": str(home / "home"), **more}
    return Terminal(*arguments, home=home, more=variables, size=size)


def answers(terminal: Terminal) -> None:
    """It lives and answers keys: the help opens and closes."""
    terminal.press("?")
    terminal.see("╭─ Help")
    terminal.press(ESCAPE)
    terminal.until(lambda text: "╭─ Help" not in text)


def leaves(terminal: Terminal) -> None:
    """It can be left."""
    terminal.press("q")
    assert terminal.end() == 0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal("--demo", home=tmp_path)
    terminal.see("reviews-week-46")
    yield terminal
    terminal.kill()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "my reviews (2)"
    folder.mkdir()
    path = folder / "it's week 46 [final].csv"
    path.write_text("id,text\n1,good\n2,bad\n", "utf-8")
    return path


def test_enter_twice_in_one_read_closes_a_dialog_once(demo: Terminal) -> None:
    for key, words in (
        ("t", "Tags of"),
        ("N", "Note on"),
        ("a", "All accounts"),
        (":", "Search for commands"),
        ("i", "copy all"),
        (",", "Budget per month"),
    ):
        demo.press(key)
        demo.see(words)
        demo.press("\r\r")
        # With a report of focus: after an escape alone, the next letter would be alt and a letter.
        demo.press(ESCAPE + ESCAPE + "\x1b[I")
        demo.until(lambda text, words=words: words not in text)
        demo.press("2")
    answers(demo)
    leaves(demo)


def test_a_job_that_is_deleted_elsewhere_leaves_list_and_results(tmp_path: Path) -> None:
    line = '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":%s}'
    body = '{"model":"sandbox-small","messages":[{"role":"user","content":"x"}]}'
    (tmp_path / "two.jsonl").write_text(line % body + "\n")
    for name in ("first", "second", "third"):
        batchdeck(tmp_path, "submit", "two.jsonl", "--name", name, "--wait", "-y")
    terminal = start(tmp_path)
    try:
        terminal.see("first", "second", "third")
        batchdeck(tmp_path, "delete", "third", "-y")
        terminal.told("third was deleted elsewhere")
        terminal.until(lambda text: "completed    third" not in text)
        terminal.press("\r")
        terminal.see("All rows", "Outcome")
        batchdeck(tmp_path, "delete", "second", "-y")
        terminal.told("second was deleted elsewhere")
        terminal.see("Progress")
        answers(terminal)
        leaves(terminal)
    finally:
        terminal.kill()


@pytest.mark.parametrize(
    "typed", ["~d", "~", "~nobody/x", "x" * 3000], ids=["name", "tilde", "user", "long"]
)
def test_a_path_that_cannot_be_is_no_file(demo: Terminal, typed: str) -> None:
    demo.press("n")
    demo.see("Choose a file")
    demo.press("\x15" + typed)
    demo.press("\r\r")
    demo.press(ESCAPE)
    demo.until(lambda text: "Choose a file" not in text)
    demo.press("x")
    demo.see("as JSON lines")
    demo.press("\x15")
    # In one read with ctrl+u, Textual 8.2 inserts the letters before it runs the key's action.
    demo.see("│  .jsonl")
    demo.press(typed)
    demo.see(f"{typed}.jsonl" if len(typed) < 20 else "xxxxxxxx")
    demo.press(ESCAPE)
    demo.until(lambda text: "╭─ Export" not in text)
    answers(demo)


def test_bytes_that_are_no_text_are_nothing(demo: Terminal) -> None:
    for data in (b"\x1b[M \x8a0", b"\xff", b"\x9b31m", b"\xe9\xe9", b"\xf0\x9f", b"\x80\x81"):
        demo.press(data)
        demo.press("j")
    demo.press(ESCAPE)
    answers(demo)
    leaves(demo)


def test_a_paste_without_an_end_gives_the_keys_back(demo: Terminal) -> None:
    demo.press("\x1b[200~half a paste")
    demo.quiet_bytes(3.0)
    answers(demo)


@pytest.mark.parametrize("key", ["1", "?", "c"])
def test_dragging_the_window_while_a_key_works_comes_to_rest(demo: Terminal, key: str) -> None:
    for step in range(20):
        demo.resize(100 + 2 * step, 30 + step // 2)
        if step == 10:
            demo.press(key)
        demo.quiet_bytes(0.03)
    demo.press(ESCAPE)
    demo.comes_to_rest()
    demo.press("2")
    answers(demo)


def _fills(terminal: Terminal, columns: int) -> bool:
    """Whether the screen is drawn in this width and all of the height."""
    lines = terminal.screen.display
    return lines[1][columns - 1] == "╮" and "? Help" in lines[-1]


@pytest.mark.parametrize(
    "report", ["\x1b[?2048;1$y", "\x1b[?2048;2$y", "\x1b[48;50;90;0;0t"], ids=["on", "off", "size"]
)
def test_a_terminal_that_promises_to_report_its_size_may_not(demo: Terminal, report: str) -> None:
    """Some say so behind a multiplexer, or report the size of another window."""
    demo.press(report)
    answers(demo)
    for columns, lines in ((70, 20), (90, 25)):
        demo.resize(columns, lines)
        demo.until(lambda _, columns=columns: _fills(demo, columns))
    leaves(demo)


def test_columns_in_the_environment_are_not_the_size(tmp_path: Path) -> None:
    more = {"COLUMNS": "80", "LINES": "24"}
    terminal = Terminal("--demo", home=tmp_path, more=more, size=(120, 36))
    try:
        terminal.see("reviews-week-46")
        terminal.until(lambda text: max(map(len, text.split("\n"))) > 110)
        terminal.resize(60, 20)
        terminal.until(lambda text: max(map(len, text.split("\n"))) <= 60)
        leaves(terminal)
    finally:
        terminal.kill()


@pytest.mark.parametrize("redirect", ["2>/dev/null", "2>&-"])
def test_standard_error_may_be_elsewhere(tmp_path: Path, redirect: str) -> None:
    terminal = Terminal("--demo", home=tmp_path, redirect=redirect)
    try:
        terminal.see("reviews-week-46", "Answered")
        answers(terminal)
        leaves(terminal)
    finally:
        terminal.kill()


def test_a_terminal_that_is_no_utf_8_is_named_before_the_screen(tmp_path: Path) -> None:
    terminal = start(tmp_path, PYTHONIOENCODING="latin-1")
    try:
        terminal.see("UTF-8", "LC_ALL=C.UTF-8")
        assert terminal.end() == 2
        assert b"\x1b[?1049h" not in terminal.raw
    finally:
        terminal.kill()


def test_a_window_that_does_not_read_for_a_while_is_drawn_again(demo: Terminal) -> None:
    # More than a pty holds, and nobody reads it. No escape key: before another one, in the same
    # read, it is "alt".
    for _ in range(60):
        demo.press("32")
        os.kill(demo.child.pid, signal.SIGWINCH)
    demo.see("reviews-week-46")
    answers(demo)
    leaves(demo)


def test_what_was_typed_in_compose_outlives_a_kill(tmp_path: Path, table: Path) -> None:
    terminal = start(tmp_path, str(table))
    try:
        terminal.see("The prompt is empty")
        terminal.press("A long prompt about {text}")
        terminal.see("A long prompt about")
        drafts = tmp_path / "home" / "drafts.json"
        terminal.until(lambda _: drafts.exists() and b"long prompt" in drafts.read_bytes())
    finally:
        terminal.child.kill(signal.SIGKILL)
        terminal.kill()
    again = start(tmp_path)
    try:
        again.see("No jobs yet")
        again.press("1")
        again.see("draft of")
        again.press("\x1b[B" * 5 + "\r")
        again.see("A long prompt about {text}")
        again.told("restored")
    finally:
        again.kill()


@pytest.mark.parametrize("form", ["escaped", "quoted", "address", "bare", "two"])
def test_a_dropped_file_opens_in_every_form(tmp_path: Path, table: Path, form: str) -> None:
    text = {
        "escaped": "".join("\\" + c if c in " ()[]'" else c for c in str(table)) + " ",
        "quoted": shlex.quote(str(table)) + " ",
        "address": table.as_uri() + "\r\n",
        "bare": str(table),
        "two": f"{shlex.quote(str(table))} {shlex.quote(str(table))} ",
    }[form]
    terminal = start(tmp_path)
    try:
        terminal.see("No jobs yet")
        # On the list of jobs; Compose, the picker and the export use the same reader.
        terminal.press(f"\x1b[200~{text}\x1b[201~")
        terminal.see("2 rows", "header row")
        if form == "two":
            terminal.told("2 files were dropped")
    finally:
        terminal.kill()


def test_a_keyring_that_never_answers_is_named_and_the_program_can_be_left(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "hangring.py").write_text(_HANGING_KEYRING)
    (home / "config.toml").write_text(
        'default_account = "work"\n[accounts.work]\nprovider = "openai"\n'
        'base_url = "http://127.0.0.1:9"\n'
    )
    body = '{"model":"m","messages":[{"role":"user","content":"x"}]}'
    line = f'{{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{body}}}\n'
    (tmp_path / "two.jsonl").write_text(line)
    terminal = start(
        tmp_path,
        "two.jsonl",
        PYTHON_KEYRING_BACKEND="hangring.Hang",
        PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]),
    )
    try:
        terminal.see("Ready to submit")
        terminal.press("S")
        terminal.see("Submit two?")
        terminal.press("y")
        terminal.see("the keyring does not answer", "BATCHDECK_KEY_WORK")
        terminal.press(ESCAPE)
        terminal.told("Submitting stopped")
        terminal.until(lambda text: "API key needed" not in text)
        terminal.press("q")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()
