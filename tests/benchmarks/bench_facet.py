"""How long it takes to count a field of all JSON answers, beside DuckDB on the same file.

Run as ``python tests/benchmarks/bench_facet.py [--rows N] [--words N] [--rounds N]``. DuckDB reads
the result file with ``read_json``, takes the field out of the text of the answer, and groups by
it; it uses all cores. "first values" is the time to the first counts that the screen could show.
The second facet, a filter and a sort are measured when the values are in memory. A large job is
read by child processes of about 16 MB each; the memory is that of the process that counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.histories import add_ended_job, json_answer
from tests.benchmarks.memory import growth
from tests.benchmarks.rounds import Aim, measure, table
from tui.core.analysis.facets import Facet
from tui.core.query import RowSort, parse_query
from tui.paths import Paths
from tui.store.columns.reader import ColumnReader
from tui.store.history import History

_DUCKDB = """
SELECT label, count(*) FROM (
  SELECT json_extract_string(response.body.choices[1].message.content, '$.label') AS label
  FROM read_json(?, format='newline_delimited', columns={
    response: 'STRUCT(body STRUCT(choices STRUCT(message STRUCT("content" VARCHAR))[]))'
  })
) GROUP BY label ORDER BY 2 DESC
"""


class FirstError(Exception):
    """The first values are here."""


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        history = History(Paths.find(Path(name)))
        results = add_ended_job(history, "job", options.rows, options.words, json_answer)
        size = results.stat().st_size
        rows = history.rows

        def facet(*, again: bool) -> list[Facet]:
            if not again:
                rows._columns = ColumnReader()
            found = rows.facets("job", ["@label"])
            if found[0].distinct != 5:
                raise SystemExit(f"{found[0].distinct} labels in place of 5")
            return found

        def first() -> None:
            rows._columns = ColumnReader()

            def tell(_: list[Facet]) -> None:
                raise FirstError

            try:
                rows.facets("job", ["@label"], partial=tell)
            except FirstError:
                return

        runs: dict[str, Callable[[], object]] = {}
        if importlib.util.find_spec("duckdb") is not None:
            import duckdb

            runs["duckdb read_json, group by"] = lambda: (
                duckdb.connect().execute(_DUCKDB, [str(results)]).fetchall()
            )
        where = parse_query("@label:refund").rows
        order = RowSort(column="@label")
        runs |= {
            "first values": first,
            "facet": lambda: facet(again=False),
            "the same facet again": lambda: facet(again=True),
            "rows of a value": lambda: rows.select("job", where),
            "rows sorted by the field": lambda: rows.select("job", order=order),
        }
        medians = measure(runs, options.rounds)
        history.close()
        above = growth(
            "from pathlib import Path\nfrom tui.paths import Paths\n"
            "from tui.store.history import History",
            f"history = History(Paths.find(Path({name!r})))\n"
            "history.rows.facets('job', ['@label'])",
        )
    aims = {}
    if "duckdb read_json, group by" in runs:
        aims["facet"] = Aim("duckdb read_json, group by", 1.5)
    print(f"{options.rows:,} rows, {size / 1e6:.1f} MB, median of {options.rounds} rounds")
    print(table(medians, size, aims))
    print(f"memory above the start: {above:.1f} MB")


if __name__ == "__main__":
    main()
