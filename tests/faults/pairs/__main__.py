"""Every request of every operation fails in every way, alone and in pairs.

``python -m tests.faults.pairs [--alone | --sample N [--seed S]] [WORD…]``. An operation is carried
out once without a fault, which numbers its requests. Then each request fails in each way, and in
the requests that follow upon that, a second one fails.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.faults.pairs.bench import Point, Result, run_point
from tests.faults.pairs.faults import FAULTS
from tests.faults.pairs.operations import OPERATIONS


def run(point: Point) -> Result:
    """Run a point in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="batchdeck-pairs-") as folder:
        return run_point(point, Path(folder))


def nexts(point: Point, result: Result) -> Iterator[Point]:
    """The points with one more fault, at a request after the last one."""
    asked = result.in_order
    for number in range(max(point.faults, default=-1) + 1, len(asked)):
        if asked[number - 1 : number + 2] == asked[number : number + 1] * 3:
            # In the middle of equal requests.
            continue
        for fault in FAULTS:
            if fault.fits(result.in_order[number]):
                yield Point(point.operation, point.like, {**point.faults, number: fault})


def show(point: Point, result: Result) -> None:
    """One line of the table, and what is wrong."""
    word = "WRONG" if result.wrong else "ok   "
    print(f"{word} {point} {result.seconds:5.1f}s  {len(result.in_order)}", flush=True)
    for reason in result.wrong:
        print(f"      ! {reason}", flush=True)
    if result.wrong:
        print(f"      {' | '.join(f'{n} {a}' for n, a in enumerate(result.in_order))}", flush=True)


def main() -> int:
    """Run the points and print those that went wrong; returns 0 if none did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only points whose description has all of these")
    parser.add_argument("--alone", action="store_true", help="one fault at a time")
    parser.add_argument("--sample", type=int, help="so many pairs of each operation at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    totals: Counter[str] = Counter()
    wrong = 0
    for operation in OPERATIONS:
        for like in operation.likes:
            plain = Point(operation, like)
            if not all(word in str(plain) for word in options.words):
                continue
            result = run(plain)
            show(plain, result)
            singles = list(nexts(plain, result))
            if options.sample:
                draw.shuffle(singles)
            done = 0
            for single in singles:
                if options.sample and done >= options.sample:
                    break
                found = run(single)
                totals["alone"] += 1
                if found.wrong:
                    wrong += 1
                    show(single, found)
                if options.alone:
                    continue
                pairs = list(nexts(single, found))
                if options.sample:
                    pairs = draw.sample(pairs, min(3, len(pairs)))
                for pair in pairs:
                    both = run(pair)
                    done += 1
                    totals["in pairs"] += 1
                    if both.wrong:
                        wrong += 1
                        show(pair, both)
    print("  ".join(f"{name} {n}" for name, n in totals.items()), f" {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
