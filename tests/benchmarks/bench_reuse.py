"""Peak memory of a submit that reuses all answers: ``python -m tests.benchmarks.bench_reuse``.

One line for each number of rows: the program that sends them to the built-in sandbox, and the one
that submits the same requests with ``--reuse`` after it. The memory of the second must not grow
with the rows but for some bytes of each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cli.conftest import request_line


def measured(home: Path, *arguments: str) -> tuple[float, float]:
    """Run the program; returns the peak of its own memory in MB, and the seconds it took."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", *arguments],
        env={
            **os.environ,
            "BATCHDECK_HOME": str(home),
            "BATCHDECK_SANDBOX_ROWS_PER_SECOND": "0",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    peak = 0
    while process.poll() is None:
        # Pages of files that are read through memory come and go; they are not counted.
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    peak = max(peak, int(line.split()[1]))
        time.sleep(0.02)
    assert process.stdout is not None
    document = json.loads(process.stdout.read())
    assert document["counts"]["succeeded"] == document["counts"]["total"]
    return peak / 1024, time.monotonic() - began


def main() -> None:
    """Measure each number of rows in a home of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[10_000, 40_000, 160_000])
    print(f"{'rows':>9}  {'sent MB':>8} {'s':>6}  {'reused MB':>9} {'s':>6}")
    for rows in parser.parse_args().rows:
        with tempfile.TemporaryDirectory(prefix="batchdeck-reuse-") as folder:
            home, file = Path(folder) / "home", Path(folder) / "r.jsonl"
            with file.open("w", encoding="utf-8") as stream:
                stream.writelines(request_line(f"r{n}", f"Say {n}") for n in range(rows))
            submit = ("submit", str(file), "--wait", "--json", "--name")
            sent = measured(home, *submit, "one")
            reused = measured(home, *submit, "two", "--reuse")
            figures = f"{sent[0]:8.0f} {sent[1]:6.1f}  {reused[0]:9.0f} {reused[1]:6.1f}"
            print(f"{rows:9,}  {figures}", flush=True)


if __name__ == "__main__":
    main()
