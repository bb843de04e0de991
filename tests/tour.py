"""Plays ``batchdeck tour`` in a real terminal, from the first key to the last, and prints it.

Run it from the top of the repository: ``python -m tests.tour``; ``--size 120x36`` and
``--theme batchdeck-light`` show it elsewhere. ``python -m tests.tour_picture`` makes the animated
picture of the README.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.terminal.terminal import Terminal
from tui.ui.models.tour import STEPS

ESCAPE, F8, F12 = "\x1b", "\x1b[19~", "\x1b[24~"
PROMPT = "Good or bad? {text}"

PLAY: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("a table", (("n", "reviews.csv"), ("\r", "Kind"))),
    ("a prompt", ((PROMPT, "Tour 3"),)),
    ("check, price, submit", ((F8, "Submit reviews?"), ("y", "Tour 4"))),
    ("watch", (("", "4"), ("\r", "Tour 5"))),
    ("an answer", (("\r", "Tour 6"),)),
    ("what failed", ((ESCAPE, "36 succeeded"), ("e", "Tour 7"))),
    ("retry", (("r", "Retry rows?"), ("y", "Tour 8"))),
    ("export", ((ESCAPE, "All rows"), ("x", "all rows"), ("\r", "the end"))),
)
"""For each step its keys, each with what is on the screen afterwards."""


def play(terminal: Terminal) -> int:
    """Play the tour; returns how many keys it took."""
    pressed = 0
    for number, (title, moves) in enumerate(PLAY, 1):
        assert STEPS[number - 1].title == title
        terminal.see(f"Tour {number} of {len(STEPS)}")
        for keys, seen in moves:
            pressed += len(keys) if keys == PROMPT else bool(keys)
            terminal.press(keys)
            terminal.see(seen)
        print(f"\n── after step {number}: {title} ──\n{terminal.text}")
    terminal.press(F12)
    terminal.until(lambda text: "Tour" not in text)
    terminal.press("q")
    assert terminal.end() == 0
    return pressed


def main() -> None:
    """Play it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="80x24", help="columns and lines")
    parser.add_argument("--theme", default="batchdeck-dark")
    arguments = parser.parse_args()
    columns, lines = map(int, arguments.size.split("x"))
    with tempfile.TemporaryDirectory(prefix="batchdeck-tour-test-") as folder:
        begun = time.monotonic()
        terminal = Terminal(
            "tour", "--theme", arguments.theme, home=Path(folder), size=(columns, lines)
        )
        try:
            keys = play(terminal)
        finally:
            terminal.kill()
        seconds = time.monotonic() - begun
        left = [path.name for path in Path(folder).rglob("*") if path.is_file()]
        print(f"\n{len(STEPS)} steps, {keys} keys, {seconds:.0f} s; files left behind: {left}")


if __name__ == "__main__":
    main()
