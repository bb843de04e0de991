"""Documents of tools that people use beside batches: what they are, and where their rows are.

The shapes are those of the tools' documentation: promptfoo's configuration and results, logs of
Inspect, lm-evaluation-harness, Jupyter's format 4, SQuAD, the dataset viewer of Hugging Face, the
answers of Elasticsearch, records of Airtable, and GeoJSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tui.core.json_path import find


class KnownDocument(NamedTuple):
    """A document that is known by its names.

    Attributes:
        what: What it is, for display.
        path: The dotted path of its rows.
        inside: The field of each row whose fields are the columns; the other fields follow them.
        nested: The lists inside each row whose objects are the rows; these have the fields of
            what they are in, too.
    """

    what: str
    path: str
    inside: str = ""
    nested: tuple[str, ...] = ()

    @property
    def rows_are(self) -> str:
        """What its rows are, for display."""
        if self.nested:
            return f"each {self.nested[-1]!r} inside {self.path!r}"
        return f"its {self.path!r}" + (f", with {self.inside!r} as columns" if self.inside else "")


def _has(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda value: set(names) <= value.keys()


def _is_promptfoo(value: Mapping[str, Any]) -> bool:
    return "tests" in value and bool({"prompts", "providers", "targets"} & value.keys())


def _is_promptfoo_result(value: Mapping[str, Any]) -> bool:
    results = value.get("results")
    return isinstance(results, dict) and {"results", "stats"} <= results.keys()


def _is_viewer(value: Mapping[str, Any]) -> bool:
    return {"features", "rows", "num_rows_total"} <= value.keys()


_KNOWN: tuple[tuple[Callable[[Mapping[str, Any]], bool], KnownDocument], ...] = (
    (_is_promptfoo, KnownDocument("a configuration of promptfoo", "tests", "vars")),
    (_is_promptfoo_result, KnownDocument("results of promptfoo", "results.results")),
    (_is_viewer, KnownDocument("a page of the dataset viewer of Hugging Face", "rows", "row")),
    (_has("eval", "plan", "samples"), KnownDocument("a log of Inspect", "samples")),
    (_has("nbformat", "cells"), KnownDocument("a Jupyter notebook", "cells")),
    (
        lambda value: bool(find(value, "data.0.paragraphs.0.qas")),
        KnownDocument("questions in SQuAD's form", "data", nested=("paragraphs", "qas")),
    ),
    (
        lambda value: bool(find(value, "hits.hits.0._source")),
        KnownDocument("an answer of Elasticsearch", "hits.hits", "_source"),
    ),
    (
        lambda value: bool(find(value, "records.0.fields")),
        KnownDocument("records of Airtable", "records", "fields"),
    ),
    (
        lambda value: value.get("type") == "FeatureCollection",
        KnownDocument("GeoJSON", "features", "properties"),
    ),
)


def known_document(value: Any) -> KnownDocument | None:
    """What a JSON or YAML object is, if it is known and has rows; ``None`` for another one."""
    if not isinstance(value, dict):
        return None
    for fits, known in _KNOWN:
        if fits(value):
            rows = find(value, known.path)
            is_list = len(rows) == 1 and isinstance(rows[0], list)
            return known if is_list and any(isinstance(row, dict) for row in rows[0]) else None
    return None


def rows_of_document(value: Mapping[str, Any], known: KnownDocument) -> list[Any]:
    """The rows of a document that is known."""
    rows: list[Any] = find(value, known.path)[0]
    for name in known.nested:
        rows = [inner for row in rows for inner in _inner_rows(row, name)]
    if known.path == "cells":
        return [_with_whole_source(row) for row in rows]
    return unwrapped(rows, known.inside)


def doubt_of_document(value: Mapping[str, Any], rows: Sequence[Any]) -> str:
    """What is said of a document that has only some of its rows; empty if it has all."""
    total = value.get("num_rows_total")
    if not isinstance(total, int) or total <= len(rows):
        return ""
    return f"the file has {len(rows):,} of {total:,} rows: the viewer gives 100 at a time"


def is_list_of_tests(value: Any) -> bool:
    """Whether a list is of tests of promptfoo, which may be in a file of their own."""
    return bool(value) and all(
        isinstance(test, dict) and isinstance(test.get("vars"), dict) for test in value
    )


def unwrapped(rows: Sequence[Any], inside: str) -> list[Any]:
    """The rows with the fields of ``inside`` as columns; unchanged if names would clash."""
    objects = [row for row in rows if isinstance(row, dict)]
    inner = [row.get(inside) for row in objects]
    if not inside or not all(each is None or isinstance(each, dict) for each in inner):
        return list(rows)
    names = {name for each in inner for name in each or ()}
    if names & {name for row in objects for name in row if name != inside}:
        return list(rows)
    return [
        {**(row.get(inside) or {}), **{k: v for k, v in row.items() if k != inside}}
        if isinstance(row, dict)
        else row
        for row in rows
    ]


def _inner_rows(row: Any, name: str) -> list[Any]:
    inner = row.get(name) if isinstance(row, dict) else None
    if not isinstance(inner, list) or not inner:
        # Nothing is lost: what has no inner rows is a row itself.
        return [row]
    outer = {key: value for key, value in row.items() if key != name}
    return [
        {**outer, **each} if isinstance(each, dict) else {**outer, name: each} for each in inner
    ]


def _with_whole_source(cell: Any) -> Any:
    """A cell of a notebook with its text in one piece."""
    source = cell.get("source") if isinstance(cell, dict) else None
    if not isinstance(source, list) or not all(isinstance(line, str) for line in source):
        return cell
    return {**cell, "source": "".join(source)}
