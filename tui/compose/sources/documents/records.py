"""Rows from records with tagged fields: references of papers, and e-mails.

RIS and PubMed's format have ``TI  - `` before a value, Web of Science ``TI ``, BibTeX braces;
``.mbox`` and ``.eml`` hold e-mails. A record is a row, and its tags are the columns.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage
from itertools import islice
from pathlib import Path
from typing import Any

from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.documents.record_forms import RecordForm
from tui.compose.sources.base import Row, Source, object_source
from tui.compose.sources.encoding import detect_encoding

_SAMPLED = 500
_DASHED = re.compile(r"([A-Z][A-Z0-9]{1,3}) {0,2}- ?(.*)")
_SPACED = re.compile(r"([A-Z][A-Z0-9])(?: (.*))?")
_LISTS = frozenset({"AU", "AF", "BA", "BE", "BF", "CA", "CR", "C1", "C3", "EM", "GP", "RI", "OI"})
"""The tags of Web of Science whose lines are a value each; lines of others are one text."""

_ENDS = frozenset({"ER", "EF"})
_ENTRY = re.compile(r"(?:^|(?<=[)}]))\s*@\s*(\w+)\s*([{(])", re.MULTILINE)
_FIELD = re.compile(r"\s*([\w:+/.-]+)\s*=\s*")
_JOINT = re.compile(r"\s*#\s*")
_COMMA = re.compile(r"\s*,")
_WORD = re.compile(r"[^\s,#]*")


def open_records(path: Path, form: RecordForm, encoding: str | None = None) -> Source:
    """Open a file of records; a field that a record has several times is a cell of several lines.

    Args:
        path: The file.
        form: How the records are written.
        encoding: Python's name of the encoding; detected if ``None``.

    Raises:
        InputError: The file cannot be read, or has no records.
    """
    if form in ("mbox", "eml"):
        read = _mails if form == "mbox" else _one_mail
        source = object_source(path, lambda: read(path), sampled=_SAMPLED, hint="Use e-mails.")
        return replace(source, notes=("e-mails, one per row",))
    text = detect_encoding(path, encoding)
    records: Callable[[Iterator[str]], Iterator[Row]] = _READERS[form]

    def rows() -> Iterator[Row]:
        with text.open(path) as file:
            yield from records(iter(file))

    source = object_source(path, rows, sampled=_SAMPLED, hint="Use a file with records.")
    notes = (text.encoding, f"records of {_SAID[form]}, one per row; their tags are the columns")
    return replace(source, notes=notes, doubts=text.doubts)


_SAID = {"ris": "RIS", "medline": "PubMed", "wos": "Web of Science", "bibtex": "BibTeX"}


class _Record:
    """The fields of a record; those with the same tag are lines of one cell."""

    def __init__(self) -> None:
        self.row: Row = {}
        self.tag = ""

    def add(self, tag: str, value: str) -> None:
        self.tag = tag
        self.row[tag] = f"{self.row[tag]}\n{value}" if tag in self.row else value

    def go_on(self, value: str) -> None:
        """Add a line that goes on with the last field."""
        joint = "\n" if self.tag in _LISTS or not self.row[self.tag] else " "
        self.row[self.tag] = f"{self.row[self.tag]}{joint}{value}".strip()


def _tagged(lines: Iterator[str], field: re.Pattern[str], starts: frozenset[str]) -> Iterator[Row]:
    """Records of lines with tags; one ends with its end tag or where the next starts."""
    record = _Record()
    for line in lines:
        text = line.rstrip("\r\n").removeprefix("\ufeff")
        found = field.fullmatch(text) if text[:1].isalpha() else None
        if found is None:
            if text.strip() and record.tag:
                record.go_on(text.strip())
            continue
        tag, value = found[1], (found[2] or "").strip()
        if tag in _ENDS or (tag in starts and tag in record.row):
            if record.row:
                yield record.row
            record = _Record()
        if tag not in _ENDS:
            record.add(tag, value)
    if record.row:
        yield record.row


def _ris(lines: Iterator[str]) -> Iterator[Row]:
    return _tagged(lines, _DASHED, frozenset({"TY"}))


def _medline(lines: Iterator[str]) -> Iterator[Row]:
    return _tagged(lines, _DASHED, frozenset({"PMID"}))


def _wos(lines: Iterator[str]) -> Iterator[Row]:
    for row in _tagged(lines, _SPACED, frozenset({"PT"})):
        # The first record has the head of the file.
        kept = {tag: value for tag, value in row.items() if tag not in ("FN", "VR")}
        if kept:
            yield kept


def _bibtex(lines: Iterator[str]) -> Iterator[Row]:
    """The entries of a BibTeX file, with ``type`` and ``key``; other text between them is none."""
    text = "".join(lines)
    strings: dict[str, str] = {}
    position = 0
    while found := _ENTRY.search(text, position):
        kind = found[1].lower()
        position = found.end()
        if kind in ("comment", "preamble"):
            continue
        end = _closing(text, position - 1)
        body, position = text[position:end], end + 1
        if kind == "string":
            strings |= {name.lower(): value for name, value in _fields(body, strings)}
            continue
        key, _, rest = body.partition(",")
        fields = {name.lower(): value for name, value in _fields(rest, strings)}
        yield {"type": kind, "key": key.strip(), **fields}


def _closing(text: str, start: int) -> int:
    """Where the bracket at ``start`` is closed; the end of the text if it is not."""
    depth = 0
    closing = "}" if text[start] == "{" else ")"
    place = start
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == "{" or place == start:
            depth += 1
        elif char == "}" or (char == closing and depth == 1):
            depth -= 1
            if depth == 0:
                return place
        place += 1
    return len(text)


def _fields(body: str, strings: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The fields of an entry; values are without their braces, and joined where ``#`` joins."""
    position = 0
    while found := _FIELD.match(body, position):
        parts: list[str] = []
        position = found.end()
        while True:
            part, position = _part(body, position, strings)
            parts.append(part)
            rest = _JOINT.match(body, position)
            if rest is None:
                break
            position = rest.end()
        yield found[1], re.sub(r"\s*\n\s*", " ", "".join(parts)).strip()
        comma = _COMMA.match(body, position)
        if comma is None:
            break
        position = comma.end()


def _part(body: str, position: int, strings: dict[str, str]) -> tuple[str, int]:
    opening = body[position : position + 1]
    if opening == "{":
        end = _closing(body, position)
        return body[position + 1 : end], end + 1
    if opening == '"':
        depth, place = 0, position + 1
        while place < len(body) and (body[place] != '"' or depth):
            depth += {"{": 1, "}": -1}.get(body[place], 0)
            place += 2 if body[place] == "\\" else 1
        return body[position + 1 : place], place + 1
    word = _WORD.match(body, position)
    assert word is not None
    return strings.get(word[0].lower(), word[0]), word.end()


_READERS: dict[str, Callable[[Iterator[str]], Iterator[Row]]] = {
    "ris": _ris,
    "medline": _medline,
    "wos": _wos,
    "bibtex": _bibtex,
}


def _mails(path: Path) -> Iterator[Row]:
    """The e-mails of an mbox file, which begin with a line ``From `` after a blank one."""
    with open_bytes(path) as file:
        lines: list[bytes] = []
        was_blank = True
        for line in file:
            if line.startswith(b"From ") and was_blank:
                if lines:
                    yield _mail(b"".join(lines))
                lines = []
            else:
                lines.append(line[1:] if re.match(rb">+From ", line) else line)
            was_blank = not line.strip()
        if lines:
            yield _mail(b"".join(lines))


def _one_mail(path: Path) -> Iterator[Row]:
    with open_bytes(path) as file:
        yield _mail(file.read())


_HEADERS = ("From", "To", "Cc", "Date", "Subject", "Message-ID", "In-Reply-To")


def _mail(data: bytes) -> Row:
    """The headers that people read, the text, and the names of what is attached."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    row: Row = {name.lower(): str(message[name] or "") for name in _HEADERS}
    body = message.get_body(preferencelist=("plain", "html"))
    row["text"] = "" if body is None else _content(body)
    row["attachments"] = "\n".join(
        part.get_filename() or part.get_content_type()
        for part in islice(message.iter_attachments(), 1000)
    )
    return row


def _content(body: Any) -> str:
    try:
        return str(body.get_content()).strip()
    except (LookupError, ValueError):
        # A charset that does not exist.
        return (body.get_payload(decode=True) or b"").decode("utf-8", "replace").strip()
