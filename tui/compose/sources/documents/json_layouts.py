"""Tables that JSON holds otherwise than as a list of objects: by column, by index, as lists.

``DataFrame.to_json`` of pandas writes them by its ``orient``: ``columns``, ``split``, ``table``,
``values``; data sets are written as a list per column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

from tui.compose.requests.documents.bodies import PAIR, is_messages, is_pair
from tui.compose.sources.header import column_names, detect_header
from tui.core.text import free_name

_SAMPLED = 500


class Layout(NamedTuple):
    """The rows of a table, and how it was laid out."""

    rows: list[Any]
    note: str


def table_in(value: Mapping[str, Any]) -> Layout | None:
    """The table that a JSON object is as a whole; ``None`` if it is not one.

    Names of rows that are not their numbers from 0 are in the column ``key``.
    """
    columns, data, index = value.get("columns"), value.get("data"), value.get("index")
    if isinstance(columns, list) and isinstance(data, list) and columns and (data or index == []):
        names = column_names([_name(column) for column in columns])
        if all(isinstance(row, list) and len(row) == len(names) for row in data):
            rows = [dict(zip(names, row, strict=True)) for row in data]
            return _with_names(rows, index, "columns and data (pandas' split)")
    if value.keys() == {"name", "index", "data"} and isinstance(data, list):
        rows = [{str(value["name"] or "value"): cell} for cell in data]
        return _with_names(rows, index, "one column (pandas' split)")
    schema = value.get("schema")
    if isinstance(schema, dict) and "fields" in schema and isinstance(data, list):
        return Layout(data, "schema and data (pandas' table)")
    cells = list(value.values())
    if _are_columns(cells):
        names = list(value)
        rows = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
        return Layout(rows, "a list per column")
    if _are_indexed(cells):
        keys = list(cells[0])
        rows = [{name: inner[key] for name, inner in value.items()} for key in keys]
        return _with_names(rows, keys, "an object per column, its cells by row number (pandas)")
    return None


def _with_names(rows: list[dict[str, Any]], index: Any, note: str) -> Layout:
    """The rows with the names that they have, unless these are their numbers."""
    if not isinstance(index, list) or len(index) != len(rows):
        return Layout(rows, note)
    if all(str(name) == str(number) for number, name in enumerate(index)):
        return Layout(rows, note)
    taken = rows[0] if rows else {}
    named = next(
        (name for name in ("key", "index") if name not in taken),
        free_name("row_name", taken.__contains__),
    )
    return Layout(
        [{named: name, **row} for name, row in zip(index, rows, strict=True)],
        f"{note}; the names of the rows are in the column '{named}'",
    )


def _name(column: Any) -> str:
    return "_".join(map(str, column)) if isinstance(column, list) else str(column)


def _are_columns(cells: list[Any]) -> bool:
    """Whether all values are lists of the same length, and not of objects."""
    if not cells or not all(isinstance(each, list) and each for each in cells):
        return False
    if len(cells) == 1 and len(cells[0]) < 2:
        return False
    plain = not any(isinstance(each, dict) for column in cells for each in column)
    return plain and len({*map(len, cells)}) == 1


def _are_indexed(cells: list[Any]) -> bool:
    """Whether all values are columns: objects with the same keys, which name the rows.

    Keys that are numbers do. Others may as well be the columns of rows that are named by an id:
    cells of one kind are in a column, and tables have more rows than columns.
    """
    if not cells or not all(isinstance(each, dict) and each for each in cells):
        return False
    keys = list(cells[0])
    if not all(list(each) == keys for each in cells):
        return False
    if all(key.isdecimal() for key in keys):
        return True
    kinds = [_kinds(each.values()) for each in cells]
    if len(cells) < 2 or len(keys) < 2 or any(len(each) > 1 for each in kinds):
        return False
    by_row = [_kinds(each[key] for each in cells) for key in keys]
    return any(len(each) > 1 for each in by_row) or len(keys) > 4 * len(cells)


def _kinds(values: Iterable[Any]) -> set[type]:
    """The kinds of some values; whole and other numbers are one kind."""
    return {float if type(each) is int else type(each) for each in values if each is not None}


def objects_of_lists(values: Callable[[], Iterator[Any]], told: list[str]) -> Callable[[], Any]:
    """Make rows of values that are lists of objects; other values are passed on as they are.

    A list of messages is a conversation, and a row. A request and its response are a row. The
    objects of other lists are rows.
    """
    sample = list(islice((each for each in values() if each is not None), _SAMPLED))
    if not sample or not all(isinstance(each, list) and each for each in sample):
        return values
    if all(map(is_pair, sample)):
        told.append("each line or element is a request and its response, which are the columns")
        return lambda: (
            dict(zip(PAIR, each, strict=False)) if is_pair(each) else each for each in values()
        )
    if all(map(is_messages, sample)):
        told.append("each line or element is a conversation, in the column 'messages'")
        return lambda: ({"messages": each} if isinstance(each, list) else each for each in values())
    if not all(map(_has_objects, sample)):
        return values
    told.append("each line or element is a list of objects; each object is a row")

    def objects() -> Iterator[Any]:
        for value in values():
            yield from value if isinstance(value, list) else (value,)

    return objects


def _has_objects(value: list[Any]) -> bool:
    return all(isinstance(each, dict) for each in value)


def rows_of_lists(
    values: Callable[[], Iterator[Any]], told: list[str], header: bool | None = None
) -> Callable[[], Iterator[Any]]:
    """Make objects of rows that are lists; other values are passed on as they are.

    Args:
        values: Starts a pass over the values.
        told: Gets what is to be said of the header, if the rows are lists.
        header: Whether the first list has the column names; detected if ``None``.
    """
    sample = list(islice((each for each in values() if each is not None), _SAMPLED))
    if not sample or not all(isinstance(each, list) for each in sample) or len(sample) < 2:
        return values
    width = max(map(len, sample))
    texts = [["" if cell is None else str(cell) for cell in row] for row in sample]
    first = texts[0] + [""] * (width - len(texts[0]))
    doubt = ""
    if header is None:
        header, doubt = detect_header(first, texts[1:])
        header = header and all(isinstance(cell, str) for cell in sample[0])
    told.append("rows are lists; " + (doubt or ("header row" if header else "no header")))
    names = column_names(first) if header else [f"column_{n}" for n in range(1, width + 1)]

    def rows() -> Iterator[Any]:
        for row in islice(values(), int(header), None):
            if not isinstance(row, list):
                yield row
                continue
            more = (f"column_{n}" for n in range(len(names) + 1, len(row) + 1))
            cells = row + [None] * (len(names) - len(row))
            yield dict(zip(chain(names, more), cells, strict=True))

    return rows
