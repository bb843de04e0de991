"""How long it takes to collect and index results, beside a bare loop that decodes each line.

Run as ``python tests/benchmarks/bench_collect.py [--rows N] [--words N] [--rounds N]``. The
floor reads and decodes the same file. "index" reads it from the disk into a fresh history;
"collect + index" also streams it to the disk through the engine's collector, as a download.
``sqlite-utils`` and ``duckdb`` take the same file where they are installed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.histories import collect, collector_for, fresh_batches, write_results
from tests.benchmarks.rounds import Aim, cpu_seconds, measure, table
from tui.core.jobs import Batch
from tui.store.history import History
from tui.store.indexing.indexer import ResultIndexer

_WORK_ROUNDS = 3


def bare(path: Path) -> None:
    """The floor: decode every line and keep nothing."""
    decode = msgspec.json.decode
    with path.open("rb") as file:
        for line in file:
            decode(line)


def index(history: History, batch: Batch, results: Path) -> None:
    """Index a file that lies on the disk already."""
    file = history.files.get(batch.id, "output")
    file.path.symlink_to(results)
    ResultIndexer(history._database, batch.id, file).run(complete=True)


def others(results: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """Other programs that put such a file into tables, as far as they are here."""
    found: dict[str, Callable[[], object]] = {}
    if importlib.util.find_spec("duckdb") is not None:
        import duckdb

        def with_duckdb() -> None:
            target = folder / "duck.db"
            target.unlink(missing_ok=True)
            with duckdb.connect(str(target)) as connection:
                connection.execute(
                    "CREATE TABLE results AS SELECT * FROM read_json(?,"
                    " format='newline_delimited')",
                    [str(results)],
                )

        found["duckdb read_json into a table"] = with_duckdb
    if importlib.util.find_spec("sqlite_utils") is not None:

        def with_sqlite_utils() -> None:
            target = folder / "utils.db"
            target.unlink(missing_ok=True)
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "sqlite_utils",
                    "insert",
                    str(target),
                    "results",
                    str(results),
                    "--nl",
                ],
                check=True,
                stdout=subprocess.DEVNULL,
            )

        found["sqlite-utils insert --nl"] = with_sqlite_utils
    return found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--words", type=int, default=220)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        results = folder / "results.jsonl"
        write_results(results, options.rows, options.words)
        homes = fresh_batches(folder, options.rows)
        ready = [next(homes) for _ in range(2 * (options.rounds + _WORK_ROUNDS))]
        used: list[History] = []

        def taken() -> tuple[History, Batch]:
            history, batch = ready.pop()
            used.append(history)
            return history, batch

        def tidy() -> None:
            # Memory that the system never gave out before costs more than what is given again.
            while used:
                history = used.pop()
                history.close()
                shutil.rmtree(history.paths.data)

        def with_collector() -> None:
            history, batch = taken()
            asyncio.run(collect(collectors[history], batch, results))

        collectors = {history: collector_for(history) for history, _ in ready}
        more = others(results, folder)
        own: dict[str, Callable[[], object]] = {
            "bare msgspec decode loop": lambda: bare(results),
            "index from the disk": lambda: index(*taken(), results),
            "collect + index": with_collector,
        }
        medians = measure({**own, **more}, options.rounds, tidy=tidy)
        work = measure(own, _WORK_ROUNDS, clock=cpu_seconds, tidy=tidy)
        size = results.stat().st_size
    for absent in {"duckdb", "sqlite_utils"} - {n.split()[0].replace("-", "_") for n in more}:
        print(f"{absent}: not installed")
    aims = {"collect + index": Aim("bare msgspec decode loop", 2.5)}
    for other in more:
        aims[other] = Aim("collect + index", 5.0 if "sqlite" in other else 1.0, at_least=True)
    print(f"{options.rows:,} rows, {size / 1e6:.1f} MB, median of {options.rounds} rounds")
    print(table(medians, size, aims))
    print("processor time, the child process included")
    print(table(work))


if __name__ == "__main__":
    main()
