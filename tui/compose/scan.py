"""One streaming pass over a file of requests, shared by the check and the import."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tui.compose.blocks import LongLine, blocks_of, lines_in, open_bytes
from tui.compose.duplicates import DuplicateFinder
from tui.compose.explain import Explained, Explainer
from tui.compose.limits import LINE_BYTES, Limits
from tui.compose.report import Problem
from tui.compose.sizes import Sizes
from tui.compose.tally import Tally
from tui.compose.uniform import UniformRows
from tui.core.text import quoted


class Block:
    """Some lines of the file and what was found in them.

    ``ids`` holds the ``custom_id`` of each line, ``None`` where the line is no request.
    ``offset`` is where the block ends in the file, in bytes.
    """

    __slots__ = ("first_line", "ids", "lines", "offset", "problems")

    def __init__(self, first_line: int, lines: list[bytes], offset: int) -> None:
        self.first_line = first_line
        self.lines = lines
        self.offset = offset
        self.ids: list[str | None] = []
        self.problems: list[Problem] = []


class Scanner:
    r"""Goes through a file block by block.

    Correct rows that are like the ones before are decoded typed (see ``UniformRows``); a block
    with any other line is looked at line by line (see ``Explainer``).

    Args:
        path: The file.
        limits: What a row may be like.

    Attributes:
        tally: What was counted so far.
        sizes: How long the lines were so far.
        ready_made: Were there any ``{custom_id, params}`` rows so far?
        crlf_line: The first line that ends with ``\r\n``, ``crlf_count`` of them in all.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.size = 0
        self.tally = Tally()
        self.sizes = Sizes()
        self.ready_made = False
        self.crlf_line = 0
        self.crlf_count = 0
        self._limits = limits
        self._longest = limits.line_bytes or LINE_BYTES
        self._explainer = Explainer(limits)
        self._uniform: UniformRows | None = None
        self._matches = (
            re.compile(limits.custom_id_pattern).fullmatch if limits.custom_id_pattern else None
        )

    def blocks(self) -> Iterator[Block]:
        """The file's blocks, in order.

        Raises:
            InputError: The file is missing, a folder, or cannot be read.
        """
        number = 1
        offset = 0
        seen: DuplicateFinder | None = None
        with open_bytes(self.path) as file:
            self.size = os.fstat(file.fileno()).st_size
            for piece in blocks_of(file, self._longest + 1):
                if isinstance(piece, LongLine):
                    offset += piece.length + 1
                    block = Block(number, [b""], min(offset, self.size))
                    block.ids.append(None)
                    block.problems.append(self._too_long(number, piece.length))
                    self.tally.rows += 1
                    self.tally.longest_line = max(self.tally.longest_line, piece.length)
                    number += 1
                    yield block
                    continue
                offset += len(piece)
                block = Block(number, lines_in(piece), offset)
                self._read(block, piece)
                if seen is None:
                    rows = len(block.lines)
                    seen = DuplicateFinder(rows * (self.size // max(len(piece), 1) + 1))
                self._find_duplicates(block, seen)
                number += len(block.lines)
                yield block

    def _read(self, block: Block, piece: bytes) -> None:
        lines = block.lines
        lengths = list(map(len, lines))
        self.sizes.add(lengths, block.first_line)
        longest = max(lengths) - 1
        if len(lines[-1]) > longest and not piece.endswith(b"\n"):
            longest = len(lines[-1])
        self.tally.longest_line = max(self.tally.longest_line, longest)
        if b"\r" in piece:
            self._count_crlf(block)
        uniform = self._uniform if longest <= self._longest else None
        if uniform is None or not self._read_quickly(block, piece, uniform):
            self._read_closely(block)

    def _read_quickly(self, block: Block, piece: bytes, uniform: UniformRows) -> bool:
        """Read a block of rows that are all like the ones before; false where they are not."""
        plain = piece.isascii()
        if not plain:
            try:
                piece.decode()
            except UnicodeDecodeError:
                return False
        rows = uniform.decode(block.lines)
        if rows is None:
            return False
        ids = [row.custom_id for row in rows]
        if not self._ids_are_fine(ids, plain):
            return False
        block.ids = ids
        block.problems += self.tally.add_uniform(
            uniform,
            rows,
            plain=plain and b"\\" not in piece,
            line=block.first_line,
            one_model=self._limits.one_model,
        )
        return True

    def _ids_are_fine(self, ids: list[str], plain: bool) -> bool:
        if self._matches is not None and not all(map(self._matches, ids)):
            return False
        if plain or not self._limits.custom_id_max:
            return True
        return not any(map(self._explainer.id_fault, ids))

    def _read_closely(self, block: Block) -> None:
        mended = True
        last: Explained | None = None
        for number, line in enumerate(block.lines, block.first_line):
            line = line.removesuffix(b"\n")
            length = len(line) - line.endswith(b"\r")
            if length > self._longest:
                block.problems.append(self._too_long(number, length))
                block.ids.append(None)
                self.tally.rows += 1
                continue
            row = self._explainer.explain(line, number)
            block.problems += row.problems
            block.ids.append(row.custom_id)
            self.ready_made = self.ready_made or row.ready_made
            if row.blank:
                continue
            block.problems += self.tally.add(row, number, one_model=self._limits.one_model)
            if any(problem.severity == "error" for problem in row.problems):
                mended = False
            else:
                last = row
        self._learn(last, mended)

    def _learn(self, row: Explained | None, correct: bool) -> None:
        """Make the typed decoder, or a looser one where the strict one was too narrow."""
        uniform = self._uniform
        if row is None or row.endpoint is None or row.endpoint != self.tally.first_endpoint:
            return
        if uniform is not None and (uniform.loose or not correct):
            return
        self._uniform = UniformRows(
            ready_made=row.ready_made,
            url=row.endpoint,
            model=row.model,
            limits=self._limits,
            loose=uniform is not None,
        )

    def _find_duplicates(self, block: Block, seen: DuplicateFinder) -> None:
        if None not in block.ids:
            for suspect in seen.add(block.ids):
                custom_id = block.ids[suspect] or ""
                block.problems.append(duplicate(custom_id, block.first_line + suspect))
            return
        places = [place for place, custom_id in enumerate(block.ids) if custom_id is not None]
        present = [custom_id for custom_id in block.ids if custom_id is not None]
        for suspect in seen.add(present):
            block.problems.append(duplicate(present[suspect], block.first_line + places[suspect]))

    def _count_crlf(self, block: Block) -> None:
        for number, line in enumerate(block.lines, block.first_line):
            if line.endswith((b"\r\n", b"\r")):
                self.crlf_line = self.crlf_line or number
                self.crlf_count += 1

    def _too_long(self, number: int, length: int) -> Problem:
        return Problem(
            line=number,
            code="line_too_long",
            severity="error",
            what=f"the line has {length:,} bytes, the limit is {self._longest:,}",
            fix="Shorten the request, or give its images and files by address.",
        )


def duplicate(custom_id: str, line: int, first: int | None = None) -> Problem:
    """The problem of an id that was there before, on line ``first`` where that is known."""
    where = f"is on line {first} already" if first is not None else "is in the file already"
    return Problem(
        line=line,
        code="duplicate_custom_id",
        severity="error",
        what=f"custom_id {quoted(custom_id)} {where}",
        fix="Give every request its own id, or renumber the ids.",
    )


class _Named(msgspec.Struct, gc=False):
    custom_id: str


def ids_of(path: Path, limits: Limits) -> Iterator[tuple[int, str]]:
    """The ids of a file as the scanner reads them, each with its line number."""
    explain = Explainer(limits).explain
    decode = msgspec.json.Decoder(_Named).decode
    longest = limits.line_bytes or LINE_BYTES
    number = 0
    with open_bytes(path) as file:
        for piece in blocks_of(file, longest + 1):
            if isinstance(piece, LongLine):
                number += 1
                continue
            plain = piece.isascii()
            for line in lines_in(piece):
                number += 1
                try:
                    custom_id = decode(line).custom_id if plain else None
                except (ValueError, RecursionError):
                    custom_id = None
                custom_id = custom_id or explain(line.removesuffix(b"\n"), number).custom_id
                if custom_id and len(line.rstrip(b"\r\n")) <= longest:
                    yield number, custom_id
