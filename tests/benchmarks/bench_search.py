"""How long a text is looked for in 200 MB of results, beside ``grep -c`` over the same bytes.

Run as ``python tests/benchmarks/bench_search.py [--size MB] [--rounds N]``. One row in a
thousand holds the word. The search folds case and knows JSON's escapes, and answers with rows
in order; "first rows" is the time to the first that the screen could show.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.histories import add_ended_job
from tests.benchmarks.rounds import Aim, measure, table
from tui.core.query import RowFilter, RowSelection
from tui.paths import Paths
from tui.store.history import History

ROW_BYTES = 2036
WORDS = 220


class FirstError(Exception):
    """The first rows are here."""


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = options.size * 1_000_000 // ROW_BYTES
    with TemporaryDirectory() as name:
        history = History(Paths.find(Path(name)))
        results = add_ended_job(history, "job", rows, WORDS)

        def grep() -> None:
            # Not to /dev/null: grep would notice, and stop at the first line.
            subprocess.run(["grep", "-c", "Zanzibar", str(results)], stdout=subprocess.PIPE)

        def search(text: str, expected: int | None = None) -> None:
            found = history.rows.select("job", RowFilter(text=text))
            if expected is not None and len(found) != expected:
                raise SystemExit(f"{text!r}: {len(found)} rows in place of {expected}")

        def first(text: str) -> None:
            def tell(_: RowSelection) -> None:
                raise FirstError

            try:
                history.rows.select("job", RowFilter(text=text), partial=tell)
            except FirstError:
                return
            raise SystemExit(f"{text!r}: nothing was found")

        medians = measure(
            {
                "grep -c Zanzibar": grep,
                "literal, rare": lambda: search("zanzibar"),
                "literal with an escape, rare": lambda: search("caf\u00e9 Z"),
                "literal, nowhere": lambda: search("no such words", 0),
                "literal, in every answer": lambda: search("quick delivery"),
                "re:, rare": lambda: search(r"re:caf. z\w+$"),
                "first rows, rare": lambda: first("zanzibar"),
                "first rows, in every answer": lambda: first("quick delivery"),
            },
            options.rounds,
        )
        size = results.stat().st_size
        history.close()
    aims = {"literal, rare": Aim("grep -c Zanzibar", 2.0)}
    aims["literal with an escape, rare"] = aims["literal, nowhere"] = aims["literal, rare"]
    print(f"{rows:,} rows, {size / 1e6:.1f} MB, median of {options.rounds} rounds")
    print(table(medians, size, aims))


if __name__ == "__main__":
    main()
