"""The dashboard in a real terminal."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Terminal

ESCAPE = "\x1b"


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    path = tmp_path / "letters.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for number in range(40):
            word = "sandbox:flaky=429" if number in (5, 25) else ""
            body = {
                "model": "small",
                "messages": [{"role": "user", "content": f"Letter {number} {word}"}],
            }
            line = {"custom_id": f"letter-{number}", "method": "POST", "body": body}
            stream.write(json.dumps({**line, "url": "/v1/chat/completions"}) + "\n")
    return path


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal("--demo", home=tmp_path)
    yield terminal
    terminal.kill()


def test_the_demo_from_start_to_zero_failed_rows(demo: Terminal, requests: Path) -> None:
    demo.see("Batches", "completed", "reviews-week-46", "in progress")

    demo.press("n")
    demo.see("Choose a file")
    demo.press("/" + str(requests))
    demo.see("letters.jsonl")
    demo.press("\r")
    demo.see("Ready to submit", "40 requests")
    demo.press("S")
    demo.see("Submit letters?", "Sandbox", "Cancel")
    demo.press("y")
    demo.see("letters: 38 of 40 answered, 2 failed")

    demo.press("\r")
    demo.see("38 succeeded", "2 failed", "40 of 40")
    demo.press("e")
    demo.see("errors only", "2 of 40")
    demo.press("\r")
    demo.see("Letter 5", "429", "esc Back")
    demo.press(ESCAPE)
    demo.until(lambda text: "esc Back" not in text and "2 of 40" in text)
    demo.press("r")
    demo.see("Retry rows?", "the rows shown")
    demo.press("y")
    demo.see("40 succeeded", "0 of 40")

    demo.press("q")
    assert demo.end() == 0
    assert b"\x1b[?1049l" in demo.raw[-600:]


def test_a_signal_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    terminal = Terminal(home=tmp_path, more={"BATCHDECK_HOME": str(tmp_path / "home")})
    try:
        terminal.see("No jobs yet")
        os.kill(terminal.child.pid, signal.SIGTERM)
        assert terminal.end() == 130
    finally:
        terminal.kill()
    tail = terminal.raw[-600:]
    assert b"\x1b[?1049l" in tail
    assert b"\x1b[?1000l" in tail


def test_the_program_ends_when_the_terminal_is_closed(tmp_path: Path) -> None:
    """What it still draws is discarded, and nothing waits for it."""
    terminal = Terminal("--demo", home=tmp_path)
    try:
        terminal.see("reviews-week-46", "in progress")
        terminal.close_window()
        assert terminal.ended() == 130
    finally:
        terminal.kill()


def test_a_file_can_be_named_at_the_start(tmp_path: Path, requests: Path) -> None:
    terminal = Terminal(
        str(requests), home=tmp_path, more={"BATCHDECK_HOME": str(tmp_path / "home")}
    )
    try:
        terminal.see("Ready to submit", "letters.jsonl")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()


def test_the_dashboard_is_readable_without_colours(tmp_path: Path) -> None:
    more = {"BATCHDECK_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}
    terminal = Terminal(home=tmp_path, more=more, size=(80, 24))
    try:
        terminal.see("No jobs yet")
        cells = [cell for line in terminal.screen.buffer.values() for cell in line.values()]
        # The terminal's own two colours; what stands out is bold, underlined or reversed.
        assert {cell.fg for cell in cells} | {cell.bg for cell in cells} == {"default"}
        assert any(cell.bold for cell in cells)
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()
