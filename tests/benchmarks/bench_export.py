"""Export of 50,000 rows, beside a bare loop over the same result file.

The bare loops do what no export can do without: read each line, decode it, write it. They
know nothing of the history. Ratios are of one run.

    .venv/bin/python tests/benchmarks/bench_export.py [ROWS]
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.store.bench import Desk, line
from tui.core.counters import BoundedCounter
from tui.paths import Paths
from tui.store.export.options import ExportOptions

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
ROUNDS = 3


def answer(number: int) -> str:
    label = ("good", "bad", "mixed")[number % 3]
    reason = "because of this and of that, and then some. " * (2 + number % 5)
    return msgspec.json.encode(
        {"label": label, "score": number % 100 / 100, "why": reason}
    ).decode()


def timed(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def bare_lines(source: Path, target: Path) -> None:
    with source.open("rb") as lines, target.open("wb", buffering=1 << 20) as out:
        for one in lines:
            out.write(msgspec.json.encode(msgspec.json.decode(one)))
            out.write(b"\n")


def bare_csv(source: Path, target: Path) -> None:
    with source.open("rb") as lines, target.open("wb", buffering=1 << 20) as out:
        text = io.TextIOWrapper(out, encoding="utf-8", newline="")
        writer = csv.writer(text)
        for one in lines:
            value = msgspec.json.decode(one)
            body = value["response"]["body"]
            message = body["choices"][0]["message"]["content"]
            writer.writerow([value["custom_id"], 200, body["model"], message, "", "", "", ""])
        text.flush()


def bare_count(source: Path) -> None:
    counter = BoundedCounter()
    with source.open("rb") as lines:
        for one in lines:
            value = msgspec.json.decode(one)
            text = value["response"]["body"]["choices"][0]["message"]["content"]
            counter.add((msgspec.json.decode(text)["label"],))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="batchdeck-bench-") as name:
        folder = Path(name)
        desk = Desk(Paths.find(folder / "home"))
        ids = [f"row-{number:07}" for number in range(ROWS)]
        job = desk.job(ids)
        batch = desk.batch(job)
        desk.results(batch, (line(id, text=answer(n), prompt_tokens=9) for n, id in enumerate(ids)))
        source = desk.file(batch).path
        print(f"{ROWS:,} rows, {source.stat().st_size / 1e6:.0f} MB of results, best of {ROUNDS}")
        lines = timed(lambda: bare_lines(source, folder / "bare.jsonl"))
        table = timed(lambda: bare_csv(source, folder / "bare.csv"))
        print(f"{'bare msgspec loop to JSON lines':34}{lines:7.2f} s")
        print(f"{'bare msgspec loop to CSV':34}{table:7.2f} s")
        runs: list[tuple[str, ExportOptions, float]] = [
            ("o.jsonl", ExportOptions(), lines),
            ("o.jsonl", ExportOptions(raw=True), lines),
            ("o.csv", ExportOptions(), table),
            ("o.csv", ExportOptions(expand=True), table),
            ("o.sqlite", ExportOptions(), table),
            ("o.html", ExportOptions(), table),
        ]
        try:
            import polars  # noqa: F401

            runs.append(("o.parquet", ExportOptions(), table))
        except ImportError:
            print("polars is not installed: no Parquet")
        for file, options, bare in runs:

            def export(path: Path = folder / file, options: ExportOptions = options) -> None:
                selection = desk.history.rows.select(job)
                assert desk.history.rows.export(job, selection, path, options) == ROWS

            took = timed(export)
            what = f"{file} {' '.join(options.named())}"
            print(f"{what:34}{took:7.2f} s  {took / bare:5.2f} x bare")
        count = timed(lambda: bare_count(source))
        print(f"{'bare msgspec count of labels':34}{count:7.2f} s")
        took = timed(lambda: desk.history.rows.summarize(job))
        print(f"{'summary':34}{took:7.2f} s  {took / count:5.2f} x bare")
        took = timed(lambda: desk.history.rows.summarize(job, "data.why"))
        print(f"{'summary with words':34}{took:7.2f} s  {took / count:5.2f} x bare")
        desk.history.close()


if __name__ == "__main__":
    main()
