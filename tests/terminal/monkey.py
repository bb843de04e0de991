"""A monkey at the keyboard: random keys, pastes, clicks, sizes, bad bytes and other programs.

    python -m tests.terminal.monkey --seconds 600 --seed 1

It drives the dashboard in a real pty for so many seconds, and prints a line for each seed. A
*death* is an exit that is no ordinary end (code 0 after ``q``); a *hang* is a dashboard that
does not answer a new window size and a key, or that goes on drawing while nothing happens. An
*error* is one that the dashboard has survived and logged. The exit code is 1 after any of them.
The same seed makes the same choices; what they meet depends on the time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pexpect

from tests.waiting import Patience

ANSWER_SECONDS = 25.0
"""How long an answer may take; generous, as the machine may be busy."""

PROBE_ACTIONS = 60
"""So many random actions are between two probes."""

QUIET_BYTES = 60_000
"""More output than this in a second of silence is a loop; the demo alone draws some 5 kB."""

_LETTERS = "abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPRSTUVWXYZ0123456789/?,:;.~=<>-+*#@!\"'{}[]()"
_KEYS = {
    "enter": "\r", "escape": "\x1b", "tab": "\t", "back": "\x7f", "space": " ", "up": "\x1b[A",
    "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "page up": "\x1b[5~", "page down": "\x1b[6~", "delete": "\x1b[3~", "back tab": "\x1b[Z",
    "f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~",
    "f6": "\x1b[17~", "f8": "\x1b[19~", "ctrl+a": "\x01", "ctrl+d": "\x04", "ctrl+e": "\x05",
    "ctrl+f": "\x06", "ctrl+g": "\x07", "ctrl+k": "\x0b", "ctrl+n": "\x0e", "ctrl+o": "\x0f",
    "ctrl+p": "\x10", "ctrl+r": "\x12", "ctrl+s": "\x13", "ctrl+t": "\x14", "ctrl+u": "\x15",
    "ctrl+w": "\x17", "ctrl+x": "\x18", "ctrl+@": "\x00", "alt+x": "\x1bx", "focus": "\x1b[I",
    "blur": "\x1b[O",
}  # fmt: skip
_BAD = (
    b"\x1b[M \x8a0", b"\xff", b"\x9b31m", b"\xe9\xe9", b"\xc3", b"\x1b[", b"\x1b[<0;5", b"\x80",
    b"\x1b]11;rgb:0000/0000/0000\x07", b"\x1b[?2048;1$y", b"\x1b[48;30;100;0;0t", b"\x1bP1$r\x1b\\",
    b"\x1b[<0;-3;-4M", b"\x1b[<99;9999;9999M", b"\x1b[200~never ended", b"\xf0\x9f\x98", b"\x00",
)  # fmt: skip
_PASTES = (
    "/etc/hosts", "~nobody/x", "~d", "'/tmp/it'\\''s.csv'", "file:///tmp/a%20b.csv", "/tmp/a\\ b",
    "line one\nline two\nline three", "\u202eabc\u2028def", "a::b.csv", "x" * 5000, "{{", "{a} [b]",
    "name:\"unclosed", "outcome:failed code:429", "é" * 50, "", "\x07\x1b[31mred", "/" * 300,
)  # fmt: skip
_ALL = ("2", "\x1b", "\x1b")
_FIND = (*_ALL, "/", "\x15tone\r", "\r")
_SCREENS: dict[str, tuple[tuple[str, ...], str]] = {
    "costs": (("2", "$"), "Months"),
    "experiment": ((*_ALL, "/", "\x15tone\r", "X"), "in common"),
    "answers side by side": ((*_ALL, "/", "\x15tone\r", "X", "e"), "Whitespace"),
    "facets": ((*_FIND, "f"), "Exclude"),
    "pivot": ((*_FIND, "f", "p", "\r"), "Swap"),
    "views": ((*_FIND, "F"), "Views"),
    "review": ((*_FIND, "V", "\r"), "Right"),
    "evaluate": ((*_FIND, "U"), "Normalise"),
    "summary": ((*_FIND, "u"), "Stop words"),
    "experiment to be": (("1", "\x1bOR", "FOLDER/rows.csv\r", "one word", "\x1b[18~"), "odels"),
}
"""The keys that open a screen from the main one, and a word that only this screen shows."""

_EXPERIMENT = (
    "experiment", "run", "rows.csv", "--name", "tone", "-t", "kind.toml", "-t", "curt.toml",
    "-m", "sandbox-small", "-y",
)  # fmt: skip

_SIZES = ((80, 24), (100, 30), (120, 36), (200, 60), (60, 16), (59, 15), (20, 5), (1, 1), (300, 80))


@dataclass
class Tally:
    """What happened to one monkey."""

    seed: int
    actions: int = 0
    starts: int = 0
    deaths: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)

    @property
    def line(self) -> str:
        """One line of the table."""
        return (
            f"seed {self.seed:>4}  actions {self.actions:>6}  starts {self.starts:>3}"
            f"  deaths {len(self.deaths)}  hangs {len(self.hangs)}  errors {len(self.errors)}"
        )

    @property
    def screens(self) -> str:
        """How often each screen was opened on purpose, and was there."""
        return "screens " + ", ".join(f"{name} {self.reached[name]}" for name in _SCREENS)


class Monkey:
    """One dashboard, and what is done to it.

    Args:
        seed: What the choices depend on.
        folder: An empty folder for the home.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.tally = Tally(seed)
        self._random = random.Random(seed)
        self._folder = folder
        self._home = folder / "home"
        self._recent: deque[str] = deque(maxlen=40)
        self._tail = b""
        self._stacks = folder / "stacks.txt"
        self._outside: subprocess.Popen[bytes] | None = None
        self._child: pexpect.spawn | None = None
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color",
            "LANG": "C.UTF-8", "PYTHONPATH": os.pathsep.join(sys.path), "EDITOR": "true",
            "PAGER": "true", "BATCHDECK_HOME": str(self._home),
            "BATCHDECK_SANDBOX_ROWS_PER_SECOND": "40",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }  # fmt: skip
        (folder / "rows.csv").write_text("id,text\n" + "".join(f"{n},t{n}\n" for n in range(50)))
        for tone in ("kind", "curt"):
            template = f'user = "A {tone} word on {{{{text}}}}"\n'
            (folder / f"{tone}.toml").write_text(template)
        self._requests = folder / "two.jsonl"
        body = {"model": "sandbox-small", "messages": [{"role": "user", "content": "x"}]}
        line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
        texts = (json.dumps({"custom_id": f"r{n}", **line}) + "\n" for n in range(20))
        self._requests.write_text("".join(texts))

    def run(self, seconds: float) -> Tally:
        """Go on for so many seconds."""
        end = time.monotonic() + seconds
        self._start("--demo", "--home", str(self._home))
        self._run_outside(*_EXPERIMENT)
        actions: list[tuple[int, Callable[[], None]]] = [
            (60, self._key), (12, self._burst), (6, self._paste), (10, self._mouse),
            (5, self._resize), (2, self._drag), (4, self._bad_bytes), (3, self._other_program),
            (1, self._quit), (4, self._visit),
        ]  # fmt: skip
        weights = [weight for weight, _ in actions]
        while time.monotonic() < end:
            _, act = self._random.choices(actions, weights)[0]
            act()
            self.tally.actions += 1
            self._read(self._random.choice((0.0, 0.0, 0.01, 0.03, 0.1)))
            if not self._is_alive():
                self._restart()
            elif self.tally.actions % PROBE_ACTIONS == 0:
                self._probe()
        self._stop()
        self._collect_errors()
        return self.tally

    # The program

    def _start(self, *arguments: str) -> None:
        # Stacks of all threads on SIGUSR1, to see where a hang is.
        code = (
            "import faulthandler, signal, sys\n"
            f"faulthandler.register(signal.SIGUSR1, open({str(self._stacks)!r}, 'w'))\n"
            "from tui.cli import main\nmain()"
        )
        self._size = (100, 30)
        self._child = pexpect.spawn(
            sys.executable, ["-c", code, *arguments], env=self._environment,
            dimensions=(30, 100), cwd=str(self._folder),
        )  # fmt: skip
        self._child.delaybeforesend = None
        self.tally.starts += 1
        self._tail = b""
        patience = Patience(ANSWER_SECONDS, self._child.pid)
        while b"Batches" not in self._tail and self._is_alive() and not patience.is_over:
            self._read(0.2)

    def _is_alive(self) -> bool:
        return self._child is not None and bool(self._child.isalive())

    def _restart(self) -> None:
        assert self._child is not None
        code, number = self._child.exitstatus, self._child.signalstatus
        if code != 0:
            self._read(0.1)
            shown = self._tail[-1500:].decode("utf-8", "replace")
            keys = " ".join(self._recent)
            self.tally.deaths.append(f"exit {code} signal {number} after: {keys}\n{shown}")
        self._kill()
        self._start()

    def _stop(self) -> None:
        if self._outside is not None:
            self._outside.wait()
        self._kill()

    def _kill(self) -> None:
        """End the program at once; not by ``close``, which gives a slow machine too little time."""
        if self._child is None:
            return
        if self._child.isalive():
            self._child.kill(signal.SIGKILL)
            self._child.wait()
        self._child.close()

    def _read(self, seconds: float) -> int:
        """Read what it draws, for so many seconds; returns the number of bytes."""
        assert self._child is not None
        end = time.monotonic() + seconds
        read = 0
        while True:
            left = end - time.monotonic()
            try:
                chunk = self._child.read_nonblocking(1 << 16, timeout=max(0.0, left))
            except (pexpect.TIMEOUT, pexpect.EOF):
                return read
            read += len(chunk)
            self._tail = (self._tail + chunk)[-20_000:]
            if left <= 0:
                return read

    def _send(self, name: str, data: bytes | str) -> None:
        assert self._child is not None
        self._recent.append(name)
        try:
            self._child.send(data)
        except OSError:
            # It has just ended; the loop looks why.
            return

    def _set_size(self, columns: int, lines: int) -> None:
        assert self._child is not None
        self._size = (columns, lines)
        self._recent.append(f"size {columns}x{lines}")
        self._child.setwinsize(lines, columns)

    # What it does

    def _key(self) -> None:
        if self._random.random() < 0.6:
            key = self._random.choice(_LETTERS)
            self._send(key, key)
        else:
            name = self._random.choice(list(_KEYS))
            self._send(name, _KEYS[name])

    def _burst(self) -> None:
        """Several keys in one packet, often the same one twice."""
        names = self._random.choices(list(_KEYS), k=self._random.randint(1, 4))
        letters = self._random.choices(_LETTERS, k=self._random.randint(0, 4))
        keys = [*letters, *(_KEYS[name] for name in names)]
        if self._random.random() < 0.5:
            keys = ["\r", "\r"] if self._random.random() < 0.5 else keys * 2
        self._random.shuffle(keys)
        self._send("+".join(repr(key) for key in keys), "".join(keys))

    def _paste(self) -> None:
        own = (str(self._requests), str(self._folder / "rows.csv"))
        text = self._random.choice((*_PASTES, *own))
        self._send(f"paste {text[:20]!r}", f"\x1b[200~{text}\x1b[201~")

    def _mouse(self) -> None:
        columns, lines = self._size
        x, y = self._random.randint(1, max(1, columns)), self._random.randint(1, max(1, lines))
        button = self._random.choice((0, 0, 0, 2, 35, 64, 65, 32))
        press, release = f"\x1b[<{button};{x};{y}M", f"\x1b[<{button};{x};{y}m"
        self._send(f"mouse {button} {x},{y}", press + release * (button < 3))

    def _resize(self) -> None:
        self._set_size(*self._random.choice(_SIZES))

    def _drag(self) -> None:
        """Drag the corner of the window while a key works."""
        key = self._random.choice("123?c/LaE\r")
        for step in range(20):
            self._set_size(100 + 2 * step, 30 + step // 2)
            if step == 10:
                self._send(key, key)
            self._read(0.02)

    def _visit(self) -> None:
        """Open one of the screens that random keys hardly find."""
        name = self._random.choice(list(_SCREENS))
        keys, word = _SCREENS[name]
        if self._outside is None or self._outside.poll() is not None:
            # What was deleted of it is sent again.
            self._run_outside(*_EXPERIMENT)
        self._set_size(100, 30)
        for _ in range(6):
            self._send("escape", "\x1b")
            self._read(0.1)
        # A key right after it would be one with alt.
        self._read(0.5)
        is_there = False
        for key in keys:
            self._tail = b""
            self._send(key, key.replace("FOLDER", str(self._folder)))
            for _ in range(10):
                read = self._read(0.4)
                is_there |= word.encode() in self._tail
                if not read:
                    break
        self.tally.reached[name] += is_there

    def _bad_bytes(self) -> None:
        data = self._random.choice(_BAD)
        self._send(repr(data), data)

    def _quit(self) -> None:
        if self._random.random() < 0.2:
            self._send("q", "q")

    def _other_program(self) -> None:
        """Another program works on the same history; one at a time."""
        if self._outside is not None and self._outside.poll() is None:
            return
        jobs = self._jobs()
        job = self._random.choice(jobs) if jobs else ""
        command = self._random.choice(
            (
                ["delete", job, "-y"], ["delete", job, "-y"], ["retry", job, "-y"],
                ["cancel", job, "-y"], ["tag", job, "monkey"], ["note", job, "x"],
                ["submit", str(self._requests), "-y"], ["submit", str(self._requests), "-y"],
            )
        )  # fmt: skip
        if not job and command[0] != "submit":
            return
        self._run_outside(*command)

    def _run_outside(self, *command: str) -> None:
        self._recent.append("batchdeck " + " ".join(command))
        self._outside = subprocess.Popen(
            [sys.executable, "-m", "tui", *command], env=self._environment,
            cwd=self._folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _jobs(self) -> list[str]:
        folder = self._home / "jobs"
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        return sorted(name for name in names if not name.startswith("."))

    # What must hold

    def _probe(self) -> None:
        """It answers a size and a key, and is quiet while nothing happens."""
        for columns, lines in ((100, 30), (101, 31)):
            if (columns, lines) == self._size:
                # The kernel tells a program about changes only.
                continue
            self._set_size(columns, lines)
            if not self._answers():
                self._hung(f"does not answer the size {columns}x{lines}")
                return
        # What is open is closed one after the other, as a person would.
        for _ in range(6):
            self._send("escape", "\x1b")
            self._read(0.15)
        if not self._is_alive():
            return
        self._send("f1", _KEYS["f1"])
        if not self._answers():
            self._hung("does not answer a key")
            return
        self._send("escape", "\x1b")
        if not self._becomes_quiet():
            self._hung("goes on drawing")

    def _answers(self) -> bool:
        assert self._child is not None
        patience = Patience(ANSWER_SECONDS, self._child.pid)
        while not self._read(0.2):
            if not self._is_alive():
                return True
            if patience.is_over:
                return False
        return True

    def _becomes_quiet(self) -> bool:
        """Whether a second passes with little output; a busy machine has much to catch up with."""
        assert self._child is not None
        patience = Patience(ANSWER_SECONDS, self._child.pid)
        while self._read(1.0) > QUIET_BYTES:
            if patience.is_over:
                return False
        return True

    def _hung(self, what: str) -> None:
        assert self._child is not None
        self._child.kill(signal.SIGUSR1)
        self._read(1.0)
        stacks = self._stacks.read_text("utf-8", "replace") if self._stacks.exists() else ""
        size = f"{self._size[0]}x{self._size[1]}"
        recent = " ".join(self._recent)
        self.tally.hangs.append(f"{what}, at {size}, after: {recent}\n{stacks[-4000:]}")
        self._kill()
        self._start()

    def _collect_errors(self) -> None:
        log = self._home / "batchdeck.log"
        if log.exists():
            text = log.read_text("utf-8", "replace")
            parts = text.split("\nTraceback (most recent call last):")
            self.tally.errors += parts[1:]


def main() -> int:
    """Run the monkeys, print the table and what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, action="append")
    chosen = parser.parse_args()
    bad = False
    for seed in chosen.seed or [1]:
        with tempfile.TemporaryDirectory(prefix="batchdeck-monkey-") as folder:
            tally = Monkey(seed, Path(folder)).run(chosen.seconds)
        print(tally.line, tally.screens, sep="\n", flush=True)
        for kind in ("deaths", "hangs", "errors"):
            for text in getattr(tally, kind):
                bad = True
                print(f"--- {kind[:-1]}\n{text.strip()}\n", flush=True)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
