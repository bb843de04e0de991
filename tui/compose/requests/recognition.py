"""What a file is, by name: the one recognition that all doors use.

The first rows decide. Shapes of foreign files are those of the providers' batch documentation:
OpenAI, Azure and Mistral (``custom_id``, ``body``; results ``response``, ``error``), Anthropic
(``params``; results ``result``), Gemini (``key``, ``request``; results ``key``, ``response``),
Vertex AI (``request``; results with ``status``), Bedrock (``recordId``, ``modelInput``; results
``modelOutput``), and OpenAI's fine-tuning formats.
"""

from __future__ import annotations

import gzip
import json
import re
import shlex
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.documents.bodies import PAIR, is_messages, is_pair
from tui.compose.requests.documents.forms import FORMS
from tui.compose.requests.documents.known_documents import is_list_of_tests, known_document
from tui.compose.requests.documents.lists import lists_in, text_lists_in
from tui.compose.requests.documents.python_values import looks_like_python, python_value
from tui.compose.requests.documents.record_forms import WHAT, record_form
from tui.compose.requests.documents.row_forms import form_of
from tui.compose.requests.documents.yaml_values import YamlError, read_yaml
from tui.compose.requests.signatures import (
    AS_TABLE,
    Recognition,
    decoded_head,
    is_utf16,
    recognize_bytes,
)
from tui.core.formatting import counted
from tui.core.text import quoted, visible

_HEAD = 1 << 18
_SAMPLED = 20


def recognize(path: Path) -> Recognition:
    """Find out what a file is, from its first bytes and rows.

    Raises:
        InputError: The file cannot be read.
    """
    with open_bytes(path) as file:
        head = file.read(_HEAD)
        whole = not file.read(1)
    name = visible(shlex.quote(str(path)))
    found = recognize_bytes(head, name) or _by_rows(head, name, path.suffix.lower(), whole=whole)
    if found.form == "gzip" and (inner := _inside(path, name)) is not None:
        return inner
    if found.kind == "requests" and found.form and is_utf16(head):
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes them in UTF-8"
        return Recognition("convertible", f"{found.what} in UTF-16", can, found.form)
    return found


def _inside(path: Path, name: str) -> Recognition | None:
    """What is packed, if that cannot be read from the packed file; ``None`` if it can."""
    try:
        with gzip.open(path) as file:
            head = file.read(512)
    except (OSError, EOFError, zlib.error):
        return None
    found = recognize_bytes(head, name) if head else None
    if found is None or found.form not in ("tar", "binary"):
        return None
    can = f"`tar xzf {name}` unpacks it; then name a file" if found.form == "tar" else found.can
    return Recognition(found.kind, f"{found.what}, packed with gzip", can, found.form)


DOCUMENTS = frozenset({".json", ".jsonc", ".json5", ".geojson", ".ipynb"})
"""Endings of files that hold one JSON value."""


def _by_rows(head: bytes, name: str, suffix: str, *, whole: bool) -> Recognition:
    text = after_comments(decoded_head(head))
    start = text[:1]
    if suffix in YAML_ENDINGS and not is_json_text(text):
        return _in_yaml(text, name, whole=whole)
    if looks_like_python(text):
        found = _in_python(text, name, whole=whole)
        if found is not None:
            return found
    if is_array_start(text):
        return _of_lists(text, name) or _in_array(_array_head(text, text.index("[") + 1), name)
    if start == '"' and _are_texts(text, whole=whole):
        return Recognition("rows", "JSON texts, one per line", AS_TABLE.format(file=name))
    if (records := record_form(text, suffix)) is not None:
        return Recognition("other", WHAT[records], AS_TABLE.format(file=name), records)
    if start != "{":
        said = _failed_download(text) if whole else ""
        if said:
            return Recognition("other", said, "Download it again", "failed-download")
        return Recognition("other", "a table or text", AS_TABLE.format(file=name))
    lines = [line for line in text.split("\n") if line.strip()]
    if not whole and len(lines) > 1:
        lines.pop()
    rows = [row for row in map(_parsed, lines[:_SAMPLED]) if row is not None]
    if not rows:
        if is_json_text(text) or (len(lines) > 1 and lines[0].strip() == "{"):
            return _in_document(text, name)
        if _array_head(text, 0):
            return _in_several(text, name)
        return Recognition("requests", "JSON lines with errors")
    if len(lines) == 1 and whole and not form_of(rows):
        found = _in_document(text, name)
        if found.form in FORMS or (found.form and suffix in DOCUMENTS):
            return found
    return by_form(form_of(rows), rows, name)


_FAILED = re.compile(
    r"(?:404|403|401|410|429|50\d)[: ][^\n]{0,80}|[^\n]{0,40}not found\.?|access denied[^\n]{0,60}"
    r"|access to (?:dataset|model) [^\n]{0,200}|invalid username or password\.?|unauthorized\.?"
    r"|forbidden\.?|internal server error|bad gateway|rate limit[^\n]{0,80}",
    re.IGNORECASE,
)


def _failed_download(text: str) -> str:
    """What is said of a file with nothing but the message of a server; empty for another one."""
    message = text.strip()
    if "\n" in message or _FAILED.fullmatch(message) is None:
        return ""
    return f"a server's message in place of a file ({quoted(message, 60)})"


def _is_meant_as_request(row: Mapping[str, Any]) -> bool:
    """Whether an object that is no request was meant as one.

    Tables have columns with these names too: ``url`` and ``body`` of an article, ``custom_id``.
    """
    names = {"custom_id", "method", "url", "body", "params"} & row.keys()
    is_object = isinstance(row.get("body", row.get("params")), dict)
    return is_object or {"method", "url"} <= names or ("custom_id" in names and len(names) > 1)


def by_form(form: str, rows: Sequence[Mapping[str, Any]], name: str) -> Recognition:
    """The recognition of rows of a known form, or of other objects."""
    found = FORMS.get(form)
    if found is None and any(map(_is_meant_as_request, rows)):
        return Recognition("requests", "requests with errors")
    if found is None and not any(rows):
        return Recognition("rows", "JSON objects without a name or value", "Use other rows")
    if found is None:
        columns = ", ".join(list(rows[0])[:6]) if rows else ""
        return Recognition(
            "rows", f"JSON rows ({columns}) that are not requests", AS_TABLE.format(file=name)
        )
    return Recognition(found.kind, found.what, found.can.format(file=name), form)


_COMMENTS = re.compile(r"(?:\s*(?://[^\n]*\n|/\*.*?\*/|#[^\n]*\n))+\s*", re.DOTALL)


def after_comments(text: str) -> str:
    """A text from where JSON starts, if only comments stand before that."""
    text = text.lstrip()
    found = _COMMENTS.match(text)
    return text[found.end() :] if found and text[found.end() :][:1] in ("{", "[") else text


def is_array_start(text: str) -> bool:
    """Whether a text starts with a JSON array; logs and settings start with a bracket too."""
    if re.match(r"\[\[\s*(?!null\b|true\b|false\b)[A-Za-z_][\w.-]*\s*\]\]", text):
        # A list of tables in TOML.
        return False
    return re.match(r'\[\s*(?:[\[{"\]]|null\b)', text) is not None


def is_json_text(text: str) -> bool:
    """Whether a text is one whole JSON value; NaN counts as one."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _parsed(line: str) -> dict[str, Any] | None:
    value = _value(line)
    return value if isinstance(value, dict) else None


def _are_texts(text: str, *, whole: bool) -> bool:
    """Whether each line is a JSON string."""
    lines = [line for line in text.split("\n", _SAMPLED) if line.strip()]
    lines = lines if whole and len(lines) < _SAMPLED else lines[:-1]
    return bool(lines) and all(isinstance(_value(line), str) for line in lines)


def _value(line: str) -> Any:
    """The JSON value of a line; ``None`` if it is something else."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _array_head(text: str, position: int) -> list[dict[str, Any]]:
    """The first objects from a position, as in an array or one after the other."""
    return [value for value in _values_head(text, position) if isinstance(value, dict)]


def _values_head(text: str, position: int) -> list[Any]:
    """The first values from a position, as in an array or one after the other."""
    rows: list[Any] = []
    decode = json.JSONDecoder().raw_decode
    while len(rows) < _SAMPLED:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            value, position = decode(text, position)
        except (ValueError, RecursionError):
            break
        rows.append(value)
    return rows


def _in_array(rows: Sequence[Mapping[str, Any]], name: str, of: str = "") -> Recognition:
    """Recognise an array by its first objects; ``of`` says what it is an array of."""
    form = form_of(rows) if rows else ""
    inner = FORMS.get(form)
    what = f"a JSON array of {of or (inner.what if inner else 'rows')}"
    if inner and inner.kind in ("requests", "convertible"):
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes one request per line"
        return Recognition("convertible", what, can, form)
    return Recognition("document", what, (inner.can if inner else AS_TABLE).format(file=name), form)


def _of_lists(text: str, name: str) -> Recognition | None:
    """Recognise lists one per line or in an array: conversations, requests with responses."""
    lists = list(_values_of_lines(text)) or _list_head(text)
    if lists and all(map(is_messages, lists)):
        return by_form("conversations", [{"messages": lists[0]}], name)
    if lists and all(map(is_pair, lists)):
        return by_form("request-pairs", [dict(zip(PAIR, lists[0], strict=False))], name)
    return None


def _values_of_lines(text: str) -> Iterator[Any]:
    """The lists of the first lines, if each of them is one."""
    lines = [line for line in text.split("\n", _SAMPLED) if line.strip()][:_SAMPLED]
    values = [value for line in lines[:-1] or lines if isinstance(value := _value(line), list)]
    if len(values) == len(lines[:-1] or lines) and (len(lines) > 1 or is_pair(values[0])):
        yield from values


def _list_head(text: str) -> list[list[Any]]:
    """The first elements of an array, if each of them is a list."""
    values = _values_head(text, text.index("[") + 1)
    return values if all(isinstance(value, list) for value in values) else []


def _in_document(text: str, name: str) -> Recognition:
    """Recognise one JSON object on several lines, or one that holds its rows under a key."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _in_several(text, name)
    return _of_value(value, name, "one JSON object")


def _of_value(value: Any, name: str, noun: str) -> Recognition:
    """Recognise the value of a whole file; ``noun`` says what it is."""
    as_table = AS_TABLE.format(file=name)
    if not isinstance(value, dict):
        return Recognition("document", f"{noun}, not rows", "Write one row per line")
    form = form_of([value])
    if form in FORMS:
        one = FORMS[form]
        if one.kind not in ("requests", "convertible"):
            return by_form(form, [value], name)
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes it on one line"
        return Recognition("convertible", f"{one.what}, one over several lines", can, form)
    known = known_document(value)
    if known is not None:
        can = f"`batchdeck compose {name} -t TEMPLATE` makes requests from {known.rows_are}"
        return Recognition("document", known.what, can, "document")
    keys = lists_in(value)
    if "schema" in value:
        # As pandas writes a table: its columns are described beside its rows.
        keys = [each for each in keys if each[0] == "data"] or keys
    if not keys and _holds_table(value):
        return Recognition("document", f"{noun} that holds a table", as_table, "document")
    if not keys:
        return _of_texts(value, name, noun)
    key, rows = keys[0]
    form = form_of(rows[:_SAMPLED])
    inner = FORMS.get(form)
    what = f"{noun}; a list of {counted(len(rows), 'object')} is at {quoted(key)}"
    what += f": {inner.what}" if inner else ""
    if inner and inner.kind in ("requests", "convertible"):
        can = f"`batchdeck compose {name}::{key} -o NEW.jsonl` writes one request per line"
        return Recognition("convertible", what, can, form)
    if len(keys) > 1:
        listed = ", ".join(f"{quoted(at)} ({len(each):,})" for at, each in keys[:4])
        what = f"{noun}; lists of objects are at {listed}"
    can = f"`batchdeck compose {name}::{key} -t TEMPLATE` makes requests from its columns"
    return Recognition("document", what, can, form or "document")


def _of_texts(value: Mapping[str, Any], name: str, noun: str) -> Recognition:
    """Recognise an object without a list of objects: lists of texts, or one row."""
    lists = text_lists_in(value)
    names = ", ".join(list(value)[:6])
    if not lists:
        can = AS_TABLE.format(file=name)
        return Recognition("document", f"{noun} ({names}), which is one row", can)
    listed = ", ".join(f"{quoted(at)} ({len(each):,})" for at, each in lists[:4])
    lists_are = "a list of texts is at" if len(lists) == 1 else "lists of texts are at"
    can = f"`batchdeck compose {name}::{lists[0][0]} -t TEMPLATE` makes a request from each text"
    return Recognition("document", f"{noun}; {lists_are} {listed}", can, "document")


YAML_ENDINGS = frozenset({".yaml", ".yml"})


def _in_yaml(text: str, name: str, *, whole: bool) -> Recognition:
    """Recognise a YAML file; of a long one, only its first names are looked at."""
    as_table = AS_TABLE.format(file=name)
    try:
        documents = read_yaml(text).documents if whole else []
    except (YamlError, ImportError):
        documents = []
    if len(documents) == 1 and isinstance(documents[0], dict):
        return _of_value(documents[0], name, "one YAML object")
    rows = documents[0] if len(documents) == 1 and isinstance(documents[0], list) else documents
    if is_list_of_tests(rows):
        return Recognition("document", "tests of promptfoo (vars)", as_table, "document")
    form = form_of(rows[:_SAMPLED])
    if form in FORMS and FORMS[form].kind in ("requests", "convertible"):
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes one request per line"
        return Recognition("convertible", f"{FORMS[form].what}, as YAML", can, form)
    names = ", ".join(list(dict.fromkeys(_YAML_NAME.findall(text)))[:6])
    what = "a YAML file" + (f" ({names})" if names else "")
    return Recognition("document", what, as_table, "document")


_YAML_NAME = re.compile(r"^(?:[ -] )?([\w.-]+):(?=\s)", re.MULTILINE)


def _in_python(text: str, name: str, *, whole: bool) -> Recognition | None:
    """Recognise rows that Python wrote; ``None`` if they are none."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not whole and len(lines) > 1:
        lines.pop()
    values: list[Any] = []
    for line in lines[:_SAMPLED]:
        try:
            values.append(python_value(line))
        except ValueError:
            break
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0][:_SAMPLED]
    rows = [value for value in values if isinstance(value, dict)]
    if not values:
        return None
    found = by_form(form_of(rows), rows, name) if rows else None
    if found is not None and found.kind in ("requests", "convertible") and found.form:
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes them as JSON"
        return Recognition("convertible", f"{found.what}, written as Python's", can, found.form)
    what = found.what if found is not None and found.form else "rows"
    return Recognition("rows", f"{what}, written as Python's values", AS_TABLE.format(file=name))


def _holds_table(value: Mapping[str, Any]) -> bool:
    """Whether an object is a table by column, or holds rows by id."""
    cells = [inner for name, inner in value.items() if name not in ("name", "index")]
    if _is_meant_as_request(value) or not cells:
        return False
    if all(isinstance(inner, dict) for inner in cells):
        return len(cells) > 1 or next(iter(value)).isdecimal()
    if not all(isinstance(inner, list) for inner in cells):
        return False
    return "data" in value or (len({*map(len, cells)}) == 1 and len(cells[0]) > 1)


def _in_several(text: str, name: str) -> Recognition:
    """Recognise objects that follow each other, each over several lines."""
    rows = _array_head(text, 0)
    if not rows:
        return Recognition(
            "document",
            "one JSON object over several lines",
            f"Write one request per line, or name its rows: {name}::KEY",
        )
    inner = FORMS.get(form_of(rows))
    what = f"{inner.what if inner else 'JSON objects'}, not one per line"
    if inner and inner.kind in ("requests", "convertible"):
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes one request per line"
        return Recognition("convertible", what, can, form_of(rows))
    can = (inner.can if inner else AS_TABLE).format(file=name)
    return Recognition("document", what, can, form_of(rows))
