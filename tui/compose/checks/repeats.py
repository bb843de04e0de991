"""Find the rows of a file that ask for the same as an earlier row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tui.compose.checks.scan import Scan, scan_lines
from tui.compose.requests.block_reader import SkippedLine, open_bytes, read_blocks, split_block
from tui.compose.requests.duplicates import DuplicateFinder
from tui.compose.requests.rules import MAX_LINE_BYTES
from tui.core.requests import request_identity
from tui.core.text import BOM
from tui.progress import NO_PROGRESS, Progress


def with_repeats(scan: Scan, path: Path, progress: Progress = NO_PROGRESS) -> Scan:
    """A scan with the repeated rows of the file: how many they are, and what they cost.

    Reads the file once more; memory does not grow with it. A file with errors, which cannot be
    sent, is not read.

    Args:
        scan: The scan of the file.
        path: The file.
        progress: Stops the reading: the rows up to there count.
    """
    if not scan.report.ok_when_fixed or not scan.report.rows:
        return scan
    rows = 0

    def repeated() -> Iterator[bytes]:
        nonlocal rows
        for line in repeated_lines(path, scan.report.rows, progress):
            rows += 1
            yield line

    costs = scan_lines(repeated())
    report = msgspec.structs.replace(scan.report, repeats=rows)
    return scan._replace(report=report, repeated=costs)


def repeated_lines(path: Path, rows: int, progress: Progress = NO_PROGRESS) -> Iterator[bytes]:
    """The lines of a file that ask for the same as an earlier one.

    Args:
        path: A file of requests without errors.
        rows: About how many rows it has.
        progress: Stops the reading.
    """
    seen = DuplicateFinder(rows)
    with open_bytes(path) as file:
        for piece in read_blocks(file, MAX_LINE_BYTES):
            if progress.stopped:
                return
            if isinstance(piece, SkippedLine):
                continue
            lines = [line.removeprefix(BOM).strip() for line in split_block(piece)]
            lines = [line for line in lines if line]
            for slot in seen.add([request_identity(line) for line in lines]):
                yield lines[slot]
