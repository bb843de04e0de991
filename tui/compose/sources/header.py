"""Decide whether the first row of a table has the column names, and make the names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tui.core.formatting import counted
from tui.core.text import quoted

NUMBER = re.compile(r"[-+−]?[\d.,\s']*\d[\d.,\s']*(?:[eE][-+]?\d+)?\s*[%€$£]?|[€$£]\s*[\d.,]+")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?")
_ADDRESS = re.compile(r"(https?|s3|gs|ftp|file)://\S+|[\w.+-]+@[\w-]+(\.[\w-]+)+", re.IGNORECASE)
_WORDS = frozenset({"true", "false", "yes", "no", "nan", "null", "none", "na", "n/a"})
_NAME = re.compile(r"[^\W\d][\w .\-/()#%:?]{0,39}")
_LONG = 80
_YEAR = re.compile(r"(19|20)\d\d")


def _kind(cell: str) -> str:
    text = cell.strip()
    if not text:
        return "empty"
    if NUMBER.fullmatch(text):
        return "number"
    if _DATE.fullmatch(text):
        return "date"
    if _ADDRESS.fullmatch(text):
        return "address"
    return "word" if text.lower() in _WORDS else "text"


def repeats_header(record: Sequence[str], first: Sequence[str]) -> bool:
    """Whether a record is the header again, as in files that were put one after the other."""
    return record[0].lstrip("\ufeff") == first[0] and [*record[1:]] == [*first[1:]]


def is_title(records: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a record above a table of several columns is a title: it has one cell with content.

    The header of one named column beside row numbers, as pandas writes it, is no title.
    """
    record = records[place]
    if sum(bool(cell.strip()) for cell in record) > 1:
        return False
    below = [row[0].strip() for row in records[place + 1 :] if any(row)]
    is_header = any(record) and not record[0].strip() and below and all(
        map(str.isdecimal, below)
    )  # fmt: skip
    return not is_header


def detect_header(first: Sequence[str], following: list[list[str]]) -> tuple[bool, str]:
    """Whether the first row has the column names, and what is to be said if it is not clear.

    Nearly all tables have a header, so the doubt falls on that side: one odd cell (an empty or
    a doubled name, a long question, a year) does not outweigh the other columns.
    """
    kinds = [_kind(cell) for cell in first]
    if _numbers_the_columns(first, following):
        return True, ""
    if not any(kind == "text" for kind in kinds):
        if all(kind == "empty" for kind in kinds):
            return False, ""
        if _differs_below(kinds, following):
            return True, "the first row is read as the header (--no-header)"
        return False, "no header: the first row looks like the others (--header)"
    repeats = len(following)
    following = [row for row in following if not repeats_header(row, first)]
    repeats -= len(following)
    if not following:
        return True, ""
    if repeats and len(first) == 1 and first[0].strip().lower() not in _USUAL:
        return False, "no header: the first row looks like the others (--header)"
    score = 0.0
    for index, name in enumerate(first):
        values = [row[index] for row in following if len(row) > index and row[index].strip()]
        score += _column_score(name.strip(), kinds[index], values)
    if score < 0:
        return False, "no header: the first row looks like the others (--header)"
    return True, "" if score >= _SURE else "the first row is read as the header (--no-header)"


_SURE = 0.3


def _numbers_the_columns(first: Sequence[str], following: list[list[str]]) -> bool:
    """Whether a header is as pandas writes it for columns without names: ``,0,1,2``."""
    if len(first) < 2 or first[0].strip() or not following:
        return False
    return all(cell.strip() == str(place) for place, cell in enumerate(first[1:]))


def _column_score(name: str, kind: str, values: list[str]) -> float:
    """How much a column speaks for a header: positive for it, negative against it."""
    if not values:
        return 0.5 if kind == "text" else 0.0
    below = Counter(map(_kind, values))
    usual, times = below.most_common(1)[0]
    clear = times >= 0.8 * len(values)
    if kind == "empty":
        return 2.0 if values[:3] in (["0", "1", "2"], ["1", "2", "3"]) else 0.0
    if kind == "text":
        if name in values:
            return -1.5
        if _is_alike(name, values):
            return -1.0
        if usual != "text" and clear:
            return 2.0
        if len(name) > _LONG:
            mean = sum(map(len, values)) / len(values)
            return -1.0 if mean > _LONG / 2 else 0.5
        if _NAME.fullmatch(name):
            mean = sum(map(len, values)) / len(values)
            return 1.0 if mean > 1.8 * len(name) or name.lower() in _USUAL else 0.1
        return 0.0
    if kind == "number" and _YEAR.fullmatch(name):
        years = sum(_YEAR.fullmatch(value.strip()) is not None for value in values)
        return 0.5 if years * 2 < len(values) else -0.5
    if usual == kind and clear:
        return -1.0
    return 0.5 if usual == "text" and clear else 0.0


def _is_alike(name: str, values: Sequence[str]) -> bool:
    """Whether a text of several words begins as the others of its column do, and is as long."""
    words = name.split()
    if len(words) < 3:
        return False
    alike = sum(
        value.split()[:2] == words[:2] or (name.endswith("?") and value.rstrip().endswith("?"))
        for value in values
    )
    return alike * 2 > len(values)


_USUAL = frozenset(
    {"id", "name", "text", "title", "question", "answer", "prompt", "label", "category", "content"}
    | {"description", "date", "url", "type", "message", "body", "summary", "review", "comment"}
    | {"language", "lang", "price", "score", "rating", "code", "key", "value", "user", "email"}
    | {"country", "city", "input", "output", "context", "class", "sku"}
)
"""Names that many tables have."""


def _differs_below(kinds: list[str], following: list[list[str]]) -> bool:
    """Whether the rows below a row of numbers are texts, so that the numbers are names."""
    if not following:
        return False
    texts = 0
    for index, kind in enumerate(kinds):
        values = [_kind(row[index]) for row in following if len(row) > index]
        texts += kind != "empty" and values.count("text") > 0.8 * len(values)
    return texts * 2 > len(kinds)


def column_names(first: list[str]) -> list[str]:
    """The column names of a header, made unique and non-empty."""
    names: list[str] = []
    for index, cell in enumerate(first, 1):
        name = cell.strip().strip("\ufeff") or f"column_{index}"
        base, suffix = name, 2
        while name in names:
            name = f"{base}_{suffix}"
            suffix += 1
        names.append(name)
    return names


def doubts_of_names(first: Sequence[str], names: Sequence[str]) -> list[str]:
    """What is to be said of a header whose cells are empty or the same."""
    empty = [name for cell, name in zip(first, names, strict=True) if not cell.strip()]
    doubled = [
        name
        for cell, name in zip(first, names, strict=True)
        if cell.strip() and name != cell.strip().strip("\ufeff")
    ]
    doubts = []
    if empty:
        doubts.append(f"{counted(len(empty), 'column')} without a name: {_listed(empty)}")
    if doubled:
        doubts.append(f"{counted(len(doubled), 'doubled column name')} changed: {_listed(doubled)}")
    return doubts


def doubts_of_rows(first: Sequence[str], following: list[list[str]], where: str) -> list[str]:
    """What is to be said of the rows below a header, if they are not all data.

    Args:
        first: The header.
        following: The first rows below it.
        where: How the first of them is called.
    """
    if len(following) < 3:
        return []
    below, *others = following
    columns = [
        place
        for place in range(min(len(first), len(below)))
        if all(
            _kind(row[place]) in ("number", "date", "empty") for row in others if len(row) > place
        )
        and any(row[place].strip() for row in others if len(row) > place)
    ]
    kinds = [_kind(cell) for cell in below]
    texts = [below[place] for place in columns if kinds[place] == "text"]
    is_header = {*kinds} <= {"text", "empty"} and (
        len(texts) > 1 or any(len(text.split()) > 2 or "empty" in kinds for text in texts)
    )
    return (
        [f"{where} may be a second header or the units; it is read as a row"] if is_header else []
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(name, 40) for name in names[:3]) + (", …" if len(names) > 3 else "")
