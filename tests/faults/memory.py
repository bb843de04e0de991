"""Peak memory and end of the program on work of others: ``python -m tests.faults.memory [NAME]``.

Each line is one program on one hostile input: the peak of its process and its children, how it
ended, and its words. The table is printed; the exit code is 1 if a bound is broken.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from tests.faults.hostile_server import served

_MOST_MB = 600
_SECONDS = 60.0
_DOUBLED = (
    "{% set ns=namespace(s=[1]) %}{% for i in range(40) %}{% set ns.s=[ns.s,ns.s] %}{% endfor %}"
)
TEMPLATES = {
    "lists doubled": _DOUBLED + "{{ ns.s }}",
    "lists compared": _DOUBLED
    + "{{ ns.s == [ns.s[0], ns.s[1]] }}"
    + _DOUBLED
    + "{{ ns.s|tojson }}",
    "translate": "{{ ('a'*9000000).translate({97:'x'*900})|length }}",
    "title": "{{ ('a-'*4000000)|title|length }}",
    "sorted": "{% for i in range(900) %}{{ (('ab'*4000000)|list|sort)|length }}{% endfor %}",
}
_ENDLESS = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM x)"
VIEWS = {
    "endless rows": f"{_ENDLESS} SELECT n FROM x",
    "endless without a row": f"{_ENDLESS} SELECT n FROM x WHERE n < 0",
    "a value of 900 MB": "SELECT zeroblob(900000000) AS n",
}


@dataclass
class Case:
    """One run: its name, the arguments of the program, and whether it gets SIGINT after 3 s."""

    name: str
    arguments: Sequence[str]
    interrupted: bool = False


@dataclass
class Outcome:
    """What a run did: peak in MB, seconds, exit code (``None``: it did not end), last words."""

    peak: int
    seconds: float
    code: int | None
    words: str

    @property
    def is_right(self) -> bool:
        """Whether it ended, in little memory."""
        return self.code is not None and self.peak < _MOST_MB


def cases(folder: Path) -> list[Case]:
    """All cases, with their inputs in a folder."""
    table = folder / "t.csv"
    table.write_text("text,n\nhello,5\nsecond,6\n")
    preview = ("-m", "m", "--preview")
    found = [
        Case(f"template: {name}", ("compose", str(table), "-t", text + "{{ text }}", *preview))
        for name, text in TEMPLATES.items()
    ]
    for name, view in VIEWS.items():
        place = folder / f"{name.replace(' ', '-')}.db"
        with closing(sqlite3.connect(place)) as connection:
            connection.execute(f"CREATE VIEW t AS {view}")
        arguments = ("compose", str(place), "-t", "{n}", *preview)
        found.append(Case(f"view: {name}", arguments, interrupted="endless" in name))
    for pattern in ("a{999999999}", "(a{9999}){9999}"):
        found.append(Case(f"pattern: {pattern}", ("results", "J", "--where", f"re:{pattern}")))
    for ending in ("jsonl", "csv", "sqlite"):
        target = str(folder / f"out.{ending}")
        found.append(Case(f"export of 20 rows of 12 MB: {ending}", ("export", "J", "-o", target)))
    return found


def with_large_rows(home: Path, folder: Path) -> None:
    """A job ``J`` whose answers are 12 MB long, written by its own files."""
    from tests.store.bench import Desk, line
    from tui.core.jobs import BatchStatus
    from tui.paths import Paths

    desk = Desk(Paths.find(home))
    names = [f"r{number}" for number in range(20)]
    batch = desk.batch(desk.job(names, name="J"))
    for name in names:
        desk.write(batch, line(name, text="lorem ipsum " * (1 << 20)) + b"\n")
    desk.index(batch, complete=True)
    changes = {"status": BatchStatus.COMPLETED, "collected": True, "ended_at": 1.0}
    desk.history.batches.update(batch.id, changes, 1.0)
    desk.history.close()


def run(case: Case, home: Path) -> Outcome:
    """Run a case; it is killed after a minute."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", *case.arguments],
        env={**os.environ, "BATCHDECK_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    peak = 0
    told = False
    while process.poll() is None and (spent := time.monotonic() - started) < _SECONDS:
        peak = max(peak, sum(map(_memory, _family(process.pid))))
        if case.interrupted and not told and spent > 3:
            process.send_signal(signal.SIGINT)
            told = True
        time.sleep(0.05)
    code = process.poll()
    if code is None:
        process.kill()
    assert process.stderr is not None
    words = process.stderr.read().decode("utf-8", "replace").strip().partition("\n")[0]
    process.wait()
    return Outcome(peak, time.monotonic() - started, code, words)


def _family(pid: int) -> list[int]:
    found = [pid]
    for place in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, place.read_text().split())
        except OSError:
            continue
    return found


def _memory(pid: int) -> int:
    """Memory of a process in MB; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(each.split()[1]) // 1024 for each in lines if each.startswith("VmRSS"))


def main(wanted: str = "", say: Callable[[str], object] = print) -> int:
    """Run all cases, or those whose names contain a text, and print the table."""
    wrong = 0
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        with_large_rows(folder / "home", folder)
        say(f"{'case':44} {'peak':>7} {'time':>7}  {'end':10} words")
        hostile = stack.enter_context(served(folder / "home"))
        servers = [Case(f"server: {name}", run) for name, run in hostile.items()]
        for case in [*cases(folder), *servers]:
            if wanted not in case.name:
                continue
            done = run(case, folder / "home")
            wrong += not done.is_right
            end = "NO END" if done.code is None else f"exit {done.code}"
            mark = "" if done.is_right else "  WRONG"
            say(
                f"{case.name[:44]:44} {done.peak:4} MB {done.seconds:5.1f} s  {end:10}"
                f" {done.words[:90]}{mark}"
            )
    say(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
