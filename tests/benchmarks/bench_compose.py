"""How long building requests from a table takes beside a bare loop that does no more.

Run as ``python tests/benchmarks/bench_compose.py [--rows N] [--rounds N]``. The bare loop reads
with ``csv.reader``, fills an f-string in and writes what msgspec encodes, without a check of
anything. The rounds of all lines of the table are interleaved; the table holds medians.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tui.compose.build import build
from tui.compose.sources import open_source
from tui.compose.template import Template

SYSTEM = "You write short, friendly texts and never invent facts."
TEXT = (
    "the quick brown fox jumps over a lazy dog while seven wizards brew potent coffee at "
    "dawn and review every invoice number"
)


def write_table(path: Path, rows: int) -> None:
    """Four columns and about 470 bytes a row, with commas that have to be quoted."""
    chance = random.Random(2)
    words = TEXT.split()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "text", "lang"])
        for number in range(rows):
            text = ", ".join(chance.choices(words, k=70))
            writer.writerow([f"p{number}", chance.choice(words), text, "en"])


def bare(table: Path, out: Path) -> None:
    """The floor."""
    encode = msgspec.json.encode
    with table.open(newline="") as source, out.open("wb") as target:
        reader = csv.reader(source)
        next(reader)
        for name, title, text, lang in reader:
            messages = [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": f"Summarize {title} in {lang}:\n{text}"},
            ]
            body = {"model": "m", "messages": messages, "max_tokens": 300}
            row = {
                "custom_id": name,
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body,
            }
            target.write(encode(row) + b"\n")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        table, out = Path(folder, "in.csv"), Path(folder, "out.jsonl")
        write_table(table, options.rows)

        def building(user: str, custom_id: str = "id") -> Callable[[], object]:
            template = Template(model="m", system=SYSTEM, user=user, max_tokens=300, id=custom_id)
            return lambda: build(open_source(str(table)), template, out)

        runs: dict[str, Callable[[], object]] = {
            "bare csv + f-string + msgspec": lambda: bare(table, out),
            "build, {column}": building("Summarize {title} in {lang}:\n{text}"),
            "build, {column}, ids by content": building("Summarize {title}:\n{text}", ""),
            "build, {{ column }}": building("Summarize {{ title }} in {{ lang }}:\n{{ text }}"),
            "build, Jinja with a condition": building(
                "Summarize {{ title | upper }}{% if lang %} in {{ lang }}{% endif %}:\n{{ text }}"
            ),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
        size = table.stat().st_size
    floor = statistics.median(times["bare csv + f-string + msgspec"])
    print(f"{options.rows:,} rows, {size / 1e6:.1f} MB, median of {options.rounds} rounds")
    print(f"{'':32} {'seconds':>8} {'ratio':>6}")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:32} {median:8.3f} {median / floor:6.2f}")


if __name__ == "__main__":
    main()
