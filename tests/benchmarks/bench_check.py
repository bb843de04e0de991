"""How long the check takes beside a bare loop that only decodes each line.

Run as ``python tests/benchmarks/bench_check.py [--rows N] [--rounds N]``. The rounds of all
lines of the table are interleaved; the table holds their medians. Below it stands the memory
that a check takes above the start of its process.

The check decodes as well, so one time the loop is its floor. Its rules alone take little more;
the bounds of the tokens take as much again, since the upper one looks at every character: a count
from a sample would be no bound.
"""

from __future__ import annotations

import argparse
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
from tui.compose.checks.clean import clean_requests
from tui.compose.checks.scan import Scanner, check_file
from tui.compose.requests.rules import RequestLimits
from tui.engine.accounts import limits_of
from tui.providers.profiles.load import find_profile

AIMS = {
    "the rules alone, without tokens": Aim("bare decode loop", 1.5),
    "check_file": Aim("bare decode loop", 3),
}

TEXT = (
    "the quick brown fox jumps over a lazy dog while seven wizards brew potent coffee at "
    "dawn and review every invoice number"
)


def write_requests(path: Path, rows: int) -> None:
    """Chat requests of about 790 bytes each, so that 270,000 make 208 MB."""
    chance = random.Random(1)
    words = TEXT.split()
    with path.open("wb") as file:
        for number in range(rows):
            body = {
                "model": "gpt-5-mini",
                "messages": [
                    {
                        "role": "system",
                        "content": "You write short, friendly texts and never invent facts.",
                    },
                    {"role": "user", "content": " ".join(chance.choices(words, k=92))},
                ],
                "max_tokens": 300,
                "temperature": 0.2,
            }
            row = {
                "custom_id": f"row-{number:06d}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body,
            }
            file.write(msgspec.json.encode(row) + b"\n")


def as_params(path: Path, out: Path) -> None:
    """The same requests in Anthropic's own form."""
    with path.open("rb") as source, out.open("wb") as target:
        for line in source:
            row = msgspec.json.decode(line)
            body = row["body"]
            del body["temperature"]
            system, user = body["messages"]
            params = {**body, "system": system["content"], "messages": [user]}
            target.write(
                msgspec.json.encode({"custom_id": row["custom_id"], "params": params}) + b"\n"
            )


def bare(path: Path) -> None:
    """The floor: decode every line and keep nothing."""
    decode = msgspec.json.decode
    with path.open("rb") as file:
        for line in file:
            decode(line)


def rules_alone(path: Path) -> None:
    """All rules of the check, but nothing of what decides the cost."""
    for _ in Scanner(RequestLimits(), with_costs=False).blocks(path):
        pass


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=270_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pattern = RequestLimits(custom_id_max=64, custom_id_pattern="^[a-zA-Z0-9_-]{1,64}$")
    anthropic = limits_of(find_profile("anthropic"))
    with TemporaryDirectory() as folder:
        path = Path(folder, "requests.jsonl")
        ready = Path(folder, "ready.jsonl")
        write_requests(path, options.rows)
        as_params(path, ready)
        runs: dict[str, Callable[[], object]] = {
            "bare decode loop": lambda: bare(path),
            "the rules alone, without tokens": lambda: rules_alone(path),
            "check_file": lambda: check_file(path),
            "check_file, ids by pattern": lambda: check_file(path, limits=pattern),
            "the bare loop over rows in params": lambda: bare(ready),
            "check_file of these by Anthropic's rules": lambda: check_file(ready, limits=anthropic),
            "check_file, chat rows for Anthropic": lambda: check_file(path, limits=anthropic),
            "clean_requests": lambda: sum(1 for _ in clean_requests(path, fix=False)),
        }
        medians = measure(runs, options.rounds, time.process_time)
        size = path.stat().st_size
        imports = "from pathlib import Path; from tui.compose.checks.scan import check_file"
        taken = growth(imports, f"check_file(Path({str(path)!r}))")
    print(f"{options.rows:,} rows, {size / 1e6:.1f} MB, median of {options.rounds} rounds")
    print(table(medians, size, AIMS))
    print(f"memory of check_file above the start: {taken:.1f} MB")


if __name__ == "__main__":
    main()
