"""Typical uses of the dashboard, from start to end in a real terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal

pytestmark = pytest.mark.long

ESCAPE = "\x1b"
UP, DOWN = "\x1b[A", "\x1b[B"


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    path = tmp_path / "letters.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for number in range(30):
            body = {"model": "small", "messages": [{"role": "user", "content": f"Hi {number}"}]}
            line = {"custom_id": f"letter-{number}", "method": "POST", "body": body}
            stream.write(json.dumps({**line, "url": "/v1/chat/completions"}) + "\n")
    return path


def start(*arguments: str, home: Path, size: tuple[int, int] = (120, 36)) -> Terminal:
    return Terminal(*arguments, home=home, more={"BATCHDECK_HOME": str(home / "home")}, size=size)


@pytest.fixture
def keyed_sandbox(tmp_path: Path) -> Iterator[str]:
    """The address of a provider that needs a key."""
    command = [sys.executable, "-m", "tui", "sandbox", "serve", "--port", "0", "--key", "sekret"]
    with subprocess.Popen(
        [*command, "--rows-per-second", "0"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def click(terminal: Terminal, text: str, *, twice: bool = False, offset: int = 0) -> None:
    """Click on the first occurrence of a text."""
    for row, line in enumerate(terminal.screen.display):
        if text in line:
            at = f"{line.index(text) + 1 + offset};{row + 1}"
            # In one write: between two the machine may let more time pass than a double click has.
            terminal.press(f"\x1b[<0;{at}M\x1b[<0;{at}m" * (2 if twice else 1))
            return
    raise AssertionError(f"{text!r} is not there:\n{terminal.text}")


def listed(terminal: Terminal) -> list[str]:
    """The names in the list of jobs, line by line."""
    cells = (row[18:42].strip() for row in terminal.screen.display[4:12])
    return [cell for cell in cells if cell]


def test_first_start_without_a_key(tmp_path: Path) -> None:
    terminal = start(home=tmp_path, size=(80, 24))
    try:
        terminal.see("No jobs yet", "no key")
        terminal.press("T")
        terminal.see("Ready to submit", "sandbox")
        terminal.press("S")
        terminal.see("Submit", "free", "Cancel")
        terminal.press("y")
        terminal.see("completed", "answered")
        terminal.press("\r")
        terminal.see("succeeded")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()
    settings = (tmp_path / "home" / "config.toml").read_text("utf-8")
    assert '#theme = "batchdeck-dark"' in settings
    # The title of the terminal was set, and the one from before is back.
    assert b"Batchdeck\x07" in terminal.raw and b"\x1b[23;2t" in terminal.raw


def test_first_real_batch(tmp_path: Path, requests: Path, keyed_sandbox: str) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(
        'default_account = "work"\n[accounts.work]\nprovider = "openai"\n'
        f'base_url = "{keyed_sandbox}"\n'
    )
    terminal = start(str(requests), home=tmp_path)
    try:
        terminal.see("Ready to submit", "work")
        terminal.press("S")
        terminal.see("Submit letters?", "OpenAI", "account work")
        terminal.press("y")
        terminal.see("API key needed", "BATCHDECK_KEY_WORK")
        terminal.press("wrong\r")
        terminal.until(lambda text: "refused" in text or "not accept" in text or "401" in text)
        terminal.press("sekret\r")
        terminal.see("letters: 30 of 30 answered")
        assert "sekret" not in terminal.text
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()
    assert b"sekret" not in terminal.raw
    assert not any(b"sekret" in file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_an_old_job_is_found_and_accounts_are_switched(tmp_path: Path) -> None:
    terminal = Terminal("--demo", home=tmp_path, size=(120, 36))
    try:
        terminal.see("reviews-week-46", "shop-pages-nl", "attention", "10 of 10")
        # In one breath, as from a paste.
        terminal.press("/#tickets\r")
        terminal.see("ticket-routing", "contains '#tickets'", "1 of 10")
        terminal.press("\r")
        terminal.see("640 succeeded", "640 of 640")
        terminal.press(ESCAPE)
        terminal.see("1 of 10")
        terminal.press(ESCAPE)
        terminal.see("10 of 10")

        terminal.press("a")
        terminal.see("All accounts", "night-doubleword")
        terminal.press("aa")
        terminal.press("\r")
        terminal.see("account night-doubleword", "1 of 10", "shop-pages-nl", "window ends in")
        terminal.press("a")
        terminal.see("All accounts")
        terminal.press(UP + UP + "\r")
        terminal.see("10 of 10")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()


def test_everything_by_mouse(tmp_path: Path) -> None:
    terminal = Terminal("--demo", home=tmp_path, size=(120, 36))
    try:
        terminal.see("reviews-week-46", "10 of 10", "? Help")
        click(terminal, "Failed")
        by_failed = ["ticket-routing-again", "reviews-week-46", "city-summaries", "mail-replies"]
        others = ["reviews-week-47", "shop-pages-nl", "shop-copy", "headlines"]
        terminal.until(lambda _: listed(terminal)[:8] == [*by_failed, *others])
        click(terminal, "shop-copy", twice=True)
        terminal.see("400 of 400", "Mark")
        click(terminal, "1 Compose", offset=3)
        terminal.see("Start with a file")
        click(terminal, "2 Batches", offset=3)
        terminal.see("10 of 10")
        click(terminal, "All jobs")
        terminal.see("name, #tag")
        terminal.press("nl\r")
        terminal.see("1 of 10", "⏎ Open", "? Help")
        click(terminal, "? Help", offset=2)
        terminal.see("All jobs of all accounts")
        terminal.press(ESCAPE)
        terminal.until(lambda text: "All jobs of all accounts" not in text)
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()


def test_everything_by_keyboard_in_80_columns(tmp_path: Path) -> None:
    terminal = Terminal("--demo", home=tmp_path, size=(80, 24))
    try:
        terminal.see("reviews-week-46", "10 of 10")
        terminal.press("j")
        terminal.see("50 rows failed")
        terminal.press("i")
        terminal.see("shop-openai (provider openai)", "copy all")
        terminal.press(ESCAPE)
        terminal.until(lambda text: "copy all" not in text)
        terminal.press("N")
        terminal.see("Note on reviews-week-46", "Save")
        terminal.press("ask Kim first\r")
        terminal.see("ask Kim first")
        terminal.press(",")
        terminal.see("Settings", "Budget per month", "config.toml")
        terminal.press(DOWN + "\r")
        # Without frames the list begins one line higher.
        terminal.until(
            lambda text: any("Compact " in line and " on " in line for line in text.split("\n"))
        )
        terminal.press(ESCAPE)
        terminal.until(lambda text: "Settings" not in text and "╭─ Batches" not in text)
        terminal.press("L")
        terminal.see("Log")
        terminal.press(ESCAPE)
        terminal.until(lambda text: "─ Log" not in text)
        terminal.press(":")
        terminal.see("Search for commands")
        terminal.press("theme")
        terminal.see("Theme", "Choose a colour theme")
        terminal.press(ESCAPE)
        terminal.until(lambda text: "Choose a colour theme" not in text)
        terminal.press("\r")
        terminal.see("1,126 succeeded", "1,200 of 1,200")
        terminal.press("e")
        terminal.see("errors only", "50 of 1,200")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()
