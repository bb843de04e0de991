"""The table of wire faults, run with ``python -m tests.faults.wire [--short] [WORD…]``.

A job of 30 rows is sent to a sandbox through a proxy that fails at one place. Whatever
happens, there must be one batch at the provider, every answer in its row, no orphan line, the key
only at the account's own origin; or a clear error, after which `submit` continues.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.faults.wire_bench import Case, Verdict, run_case
from tests.faults.wire_cases import GROUPS
from tests.faults.wire_places import listening
from tui.sandbox.options import BUCKETS

SHORT = 4
"""Of so many cases the short selection takes one."""


def cases(words: list[str], *, short: bool = False) -> Iterator[tuple[str, Case]]:
    """The groups and cases whose description contains all the words."""
    for group, make in GROUPS.items():
        for number, case in enumerate(make()):
            text = f"{group} {case.route} {case.name} {case.like}"
            if all(word in text for word in words) and not (short and number % SHORT):
                yield group, case


_ONE_BUCKET = asyncio.Lock()
"""All of moto's servers in a process share their buckets."""


async def run(case: Case) -> Verdict:
    """Run a case in a folder that is removed."""
    if case.like in BUCKETS:
        async with _ONE_BUCKET:
            return await _run(case)
    return await _run(case)


async def _run(case: Case) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="batchdeck-wire-") as folder:
        async with listening(case, Path(folder)) as placed:
            return await run_case(placed, Path(folder))


def row_of(group: str, verdict: Verdict) -> str:
    """One line of the table."""
    case = verdict.case
    asked = " ".join(f"{name}:{n}" for name, n in sorted(verdict.asked.items()))
    word = "ok   " if not verdict.wrong else "WRONG"
    where = f"{group:<11} {case.like:<10} {case.route:<8} {case.name:<36} x{case.times}"
    return f"{word} {where} {verdict.seconds:5.1f}s  {asked}"


async def main(words: list[str], *, short: bool, at_once: int) -> int:
    """Run all cases and print the table; returns the number of failures."""
    totals: Counter[str] = Counter()
    wrong = 0
    gate = asyncio.Semaphore(at_once)

    async def one(group: str, case: Case) -> tuple[str, Verdict]:
        async with gate:
            return group, await run(case)

    tasks = [asyncio.create_task(one(*chosen)) for chosen in cases(words, short=short)]
    for task in tasks:
        group, verdict = await task
        totals[group] += 1
        print(row_of(group, verdict), flush=True)
        if verdict.wrong:
            wrong += 1
            for reason in verdict.wrong:
                print(f"      ! {reason}")
            print(f"      said: {verdict.said!r}")
    print("\n" + "  ".join(f"{group} {n}" for group, n in totals.items()))
    print(f"{totals.total()} faults, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only cases whose description has all of these")
    parser.add_argument("--short", action="store_true", help="every fourth case")
    parser.add_argument("--at-once", type=int, default=1)
    options = parser.parse_args()
    sys.exit(
        1 if asyncio.run(main(options.words, short=options.short, at_once=options.at_once)) else 0
    )
