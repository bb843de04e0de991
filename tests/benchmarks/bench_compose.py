"""How long building requests from a table takes beside a bare loop that does no more.

Run as ``python tests/benchmarks/bench_compose.py [--rows N] [--rounds N]``. The bare loop reads
with ``csv.reader``, fills an f-string in and writes what msgspec encodes, without a check of
anything. The rounds of all lines of the table are interleaved; the table holds medians. Below it
stands the memory that ten times as many rows take above the start of their process.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.memory import growth
from tests.benchmarks.rounds import Aim, measure, table
from tui.compose.build import build
from tui.compose.sources.open import open_source
from tui.compose.templates.model import Template

SYSTEM = "You write short, friendly texts and never invent facts."
TEXT = (
    "the quick brown fox jumps over a lazy dog while seven wizards brew potent coffee at "
    "dawn and review every invoice number"
)

LOGIC = "Summarize {{ title | upper }}{% if lang %} in {{ lang }}{% endif %}:\n{{ text }}"
LOOP = "Summarize{% for word in title.split() %} {{ word }}{% endfor %} in {{ lang }}:\n{{ text }}"


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
        source, out = Path(folder, "in.csv"), Path(folder, "out.jsonl")
        write_table(source, options.rows)

        def building(user: str, custom_id: str = "id") -> Callable[[], object]:
            template = Template(model="m", system=SYSTEM, user=user, max_tokens=300, id=custom_id)
            return lambda: build(open_source(str(source)), template, out)

        runs: dict[str, Callable[[], object]] = {
            "bare csv + f-string + msgspec": lambda: bare(source, out),
            "build, {column}": building("Summarize {title} in {lang}:\n{text}"),
            "build, {column}, ids by content": building("Summarize {title}:\n{text}", ""),
            "build, {{ column }}": building("Summarize {{ title }} in {{ lang }}:\n{{ text }}"),
            "build, Jinja with a condition": building(LOGIC),
            "build, Jinja with a loop": building(LOOP),
        }
        medians = measure(runs, options.rounds, time.process_time)
        size = source.stat().st_size
        write_table(source, options.rows * 10)
        taken = growth(
            "from pathlib import Path; from tui.compose.build import build;"
            " from tui.compose.sources.open import open_source;"
            " from tui.compose.templates.model import Template",
            f"build(open_source({str(source)!r}), Template(model='m', user={LOGIC!r}, id='id'),"
            f" Path({str(out)!r}))",
        )
    print(f"{options.rows:,} rows, {size / 1e6:.1f} MB, median of {options.rounds} rounds")
    floor, *built = runs
    aims = {name: Aim(floor, 3.0 if "loop" in name else 1.85) for name in built}
    print(table(medians, size, aims))
    print(f"memory of {options.rows * 10:,} rows above the start: {taken:.1f} MB")


if __name__ == "__main__":
    main()
