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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.prompts import SCALEDOWN_MODELS
from tui.compose.requests.signatures import (
    AS_TABLE,
    FileKind,
    Recognition,
    decoded_head,
    is_utf16,
    recognize_bytes,
)
from tui.core.text import quoted, visible

_HEAD = 1 << 18
_SAMPLED = 20


class _Form(NamedTuple):
    kind: FileKind
    what: str
    can: str


_RESULTS = (
    "`batchdeck import-results REQUESTS {file}` opens them with their requests as a job;"
    f" {AS_TABLE}"
)
_FORMS: dict[str, _Form] = {
    "openai": _Form("requests", "OpenAI batch requests (custom_id, method, url, body)", ""),
    "azure": _Form("requests", "Azure OpenAI batch requests (url without /v1)", ""),
    "anthropic": _Form("requests", "Anthropic batch requests (custom_id, params)", ""),
    "mistral": _Form(
        "convertible",
        "Mistral batch requests (custom_id, body, without method and url)",
        "`batchdeck compose {file} -o NEW.jsonl` adds method and url",
    ),
    "scaledown": _Form(
        "convertible",
        "ScaleDown requests (custom_id, model, text)",
        "`batchdeck compose {file} -o NEW.jsonl` converts them",
    ),
    "gemini": _Form(
        "requests",
        "Gemini batch requests (key, request)",
        "A Gemini account sends them unchanged; `batchdeck compose {file} -m MODEL -o NEW.jsonl`"
        " sets the model in each, and turns texts into chat requests",
    ),
    "gemini-bodies": _Form(
        "foreign",
        "Gemini request bodies (contents) without a key",
        f"No account can send this format; {AS_TABLE}",
    ),
    "vertex": _Form(
        "requests",
        "Vertex AI batch requests of Gemini (request)",
        "A Vertex AI account sends them unchanged; `batchdeck compose {file} -m MODEL -o NEW.jsonl`"
        " turns texts into chat requests",
    ),
    "bedrock": _Form(
        "requests",
        "Amazon Bedrock batch requests (recordId, modelInput)",
        "A Bedrock account sends them unchanged; `batchdeck compose {file} -m MODEL -o NEW.jsonl`"
        " turns them into Anthropic Messages requests",
    ),
    "openai-results": _Form(
        "results", "results of an OpenAI-style batch (custom_id, response, error)", _RESULTS
    ),
    "anthropic-results": _Form(
        "results", "results of an Anthropic batch (custom_id, result)", _RESULTS
    ),
    "batchdeck-results": _Form(
        "results", "result rows as Batchdeck writes them (custom_id, outcome, text)", AS_TABLE
    ),
    "gemini-results": _Form("results", "results of a Gemini batch (key, response)", _RESULTS),
    "vertex-results": _Form(
        "results", "results of a Vertex AI batch (request, response, status)", _RESULTS
    ),
    "bedrock-results": _Form(
        "results", "results of an Amazon Bedrock batch (recordId, modelOutput)", _RESULTS
    ),
    "chat-training": _Form(
        "training",
        "fine-tuning data (messages that end with an answer, no custom_id)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "completion-training": _Form(
        "training",
        "fine-tuning data (prompt, completion)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "preference-training": _Form(
        "training",
        "preference fine-tuning data (input, preferred_output)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "gemini-training": _Form(
        "training",
        "fine-tuning data of Vertex AI (contents that end with an answer)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "shared-training": _Form(
        "training",
        "fine-tuning data (conversations)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "pair-training": _Form(
        "training",
        "preference fine-tuning data (prompt, chosen, rejected)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "eval-items": _Form(
        "training",
        "data of an evaluation (item)",
        f"It is not a batch; {AS_TABLE}, such as {{{{item.question}}}}",
    ),
    "xai": _Form(
        "foreign",
        "xAI batch requests in its own form (batch_request_id, batch_request)",
        "Write them as custom_id, method, url and body, which xAI takes as a file as well;"
        f" {AS_TABLE}",
    ),
    "xai-results": _Form(
        "results",
        "results of an xAI batch in its own form (batch_request_id, batch_result)",
        AS_TABLE,
    ),
    "gemini-inline": _Form(
        "foreign",
        "Gemini batch requests as they are sent inline (request, metadata)",
        f'Write each as {{{{"key": …, "request": …}}}} on a line of its own; {AS_TABLE}',
    ),
    "gemini-inline-results": _Form(
        "results",
        "results of a Gemini batch as they are given inline (response, metadata)",
        f'Write each as {{{{"key": …, "response": …}}}} on a line of its own; {AS_TABLE}',
    ),
    "vertex-embedding-results": _Form(
        "results",
        "results of a Vertex AI batch of embeddings (instance, predictions)",
        AS_TABLE,
    ),
    "batch": _Form(
        "foreign",
        "the description of a batch, not its requests or results",
        "Its results are in the file of output_file_id: `batchdeck adopt` brings them",
    ),
    "manifest": _Form(
        "foreign",
        "the counts of an Amazon Bedrock batch, not its results",
        "Its results are in the .jsonl.out file beside it",
    ),
    "answers": _Form(
        "foreign",
        "answers of a provider without custom_id, which belong to no request",
        AS_TABLE,
    ),
    "api-error": _Form(
        "foreign",
        "an error of a provider in place of a file",
        "Download it again",
    ),
    "validation-errors": _Form(
        "foreign",
        "errors of OpenAI's check of a batch file (line, code, message)",
        f"Fix these lines of the requests and send them again; {AS_TABLE}",
    ),
    "bodies": _Form(
        "rows",
        "request bodies (model, messages) without custom_id, method and url",
        f"`batchdeck compose {{file}} -o NEW.jsonl` adds them; {AS_TABLE}",
    ),
}


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
    if is_array_start(text):
        rows = _array_head(text, text.index("[") + 1)
        return _in_array(rows, name)
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
        if found.form in _FORMS or (found.form and suffix in DOCUMENTS):
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
    found = _FORMS.get(form)
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
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _array_head(text: str, position: int) -> list[dict[str, Any]]:
    """The first objects from a position, as in an array or one after the other."""
    rows: list[dict[str, Any]] = []
    decode = json.JSONDecoder().raw_decode
    while len(rows) < _SAMPLED:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            value, position = decode(text, position)
        except (ValueError, RecursionError):
            break
        if isinstance(value, dict):
            rows.append(value)
    return rows


def _in_array(rows: list[dict[str, Any]], name: str) -> Recognition:
    form = form_of(rows) if rows else ""
    inner = _FORMS.get(form)
    of = f"{inner.what}" if inner else "rows"
    if inner and inner.kind in ("requests", "convertible"):
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes one request per line"
        return Recognition("convertible", f"a JSON array of {of}", can, form)
    return Recognition(
        "document", f"a JSON array of {of}", (inner.can if inner else AS_TABLE).format(file=name),
        form,
    )  # fmt: skip


def _in_document(text: str, name: str) -> Recognition:
    """Recognise one JSON object on several lines, or one that holds its rows under a key."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _in_several(text, name)
    keys = lists_in(value) if isinstance(value, dict) else []
    if isinstance(value, dict) and "schema" in value:
        # As pandas writes a table: its columns are described beside its rows.
        keys = [each for each in keys if each[0] == "data"] or keys
    if not keys and isinstance(value, dict) and _holds_table(value):
        can = AS_TABLE.format(file=name)
        return Recognition("document", "one JSON object that holds a table", can, "document")
    if not keys:
        return Recognition("document", "one JSON object, not rows", "Write one row per line")
    key, rows = keys[0]
    form = form_of(rows[:_SAMPLED])
    inner = _FORMS.get(form)
    count = f"{len(rows):,} {'object' if len(rows) == 1 else 'objects'}"
    what = f"one JSON object; a list of {count} is at {quoted(key)}"
    what += f": {inner.what}" if inner else ""
    if inner and inner.kind in ("requests", "convertible"):
        can = f"`batchdeck compose {name}::{key} -o NEW.jsonl` writes one request per line"
        return Recognition("convertible", what, can, form)
    can = f"`batchdeck compose {name}::{key} -t TEMPLATE` makes requests from its columns"
    return Recognition("document", what, can, form or "document")


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
    inner = _FORMS.get(form_of(rows))
    what = f"{inner.what if inner else 'JSON objects'}, not one per line"
    if inner and inner.kind in ("requests", "convertible"):
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes one request per line"
        return Recognition("convertible", what, can, form_of(rows))
    can = (inner.can if inner else AS_TABLE).format(file=name)
    return Recognition("document", what, can, form_of(rows))


def lists_in(value: Mapping[str, Any], depth: int = 4) -> list[tuple[str, list[Any]]]:
    """The lists of objects inside an object, each with its dotted path; the longest first."""
    found: list[tuple[str, list[Any]]] = []
    for name, inner in value.items():
        if isinstance(inner, list) and any(isinstance(each, dict) for each in inner):
            found.append((name, inner))
        elif isinstance(inner, dict) and depth > 1:
            found += [(f"{name}.{path}", rows) for path, rows in lists_in(inner, depth - 1)]
    return sorted(found, key=lambda each: -len(each[1]))


def form_of(rows: Sequence[Any]) -> str:
    """The name of the form that all rows have; empty if they have none in common."""
    forms = {_form_of_row(row) for row in rows if isinstance(row, dict)}
    if len(forms) == 2 and forms <= {"openai", "azure"}:
        return "openai"
    if len(forms) == 2 and "gemini-results" in forms:
        forms.discard("")
    return forms.pop() if len(forms) == 1 else ""


def _form_of_row(row: Mapping[str, Any]) -> str:
    """The form of one row; empty for an object of another kind."""
    has = row.__contains__
    if has("modelInput") or (has("recordId") and has("modelOutput")):
        return "bedrock-results" if has("modelOutput") or has("error") else "bedrock"
    if has("custom_id"):
        return _form_with_custom_id(row)
    request = row.get("request")
    if isinstance(request, dict) and ("contents" in request or "content" in request):
        if isinstance(row.get("metadata"), dict) and "key" in row["metadata"] and not has("key"):
            return "gemini-inline"
        if has("response") or has("status"):
            return "vertex-results"
        return "gemini" if has("key") else "vertex"
    metadata = row.get("metadata")
    is_inline = isinstance(metadata, dict) and "key" in metadata and not has("key")
    if is_inline and (has("response") or has("error")):
        return "gemini-inline-results"
    if has("batch_request_id"):
        return "xai" if isinstance(row.get("batch_request"), dict) else "xai-results"
    if has("key") and (isinstance(row.get("response"), dict) or isinstance(row.get("error"), dict)):
        return "gemini-results"
    return _form_of_body(row)


def _form_with_custom_id(row: Mapping[str, Any]) -> str:
    if "outcome" in row and "attempt" in row:
        return "batchdeck-results"
    if isinstance(row.get("result"), dict) and "type" in row["result"]:
        return "anthropic-results"
    request = row.get("request")
    if "body" not in row and ("response" in row or "error" in row):
        return "vertex-results" if isinstance(request, dict) else "openai-results"
    if isinstance(request, dict) and isinstance(request.get("messages"), list):
        return "vertex"
    if isinstance(row.get("params"), dict) and not isinstance(row.get("body"), dict):
        return "anthropic"
    if isinstance(row.get("body"), dict):
        if "url" not in row and "method" not in row:
            return "mistral"
        url = row.get("url")
        short = isinstance(url, str) and url.startswith(("/chat/completions", "/embeddings"))
        return "azure" if short else "openai"
    if row.get("model") in SCALEDOWN_MODELS and isinstance(row.get("text"), str):
        return "scaledown"
    return ""


def _form_of_records(row: Mapping[str, Any]) -> str:
    """The form of what is neither requests nor results, but is found beside them."""
    names = row.keys()
    if row.get("object") == "batch" and {"endpoint", "status"} <= names:
        return "batch"
    if {"totalRecordCount", "processedRecordCount"} <= names:
        return "manifest"
    if isinstance(row.get("choices"), list) and {"id", "model", "object"} <= names:
        return "answers"
    if names == {"error"} and isinstance(row["error"], dict) and "message" in row["error"]:
        return "api-error"
    if names == {"line", "code", "message", "param"}:
        return "validation-errors"
    if {"instance", "predictions"} <= names:
        return "vertex-embedding-results"
    if names >= {"prompt", "chosen", "rejected"}:
        return "pair-training"
    if names == {"item"} or names == {"item", "sample"}:
        return "eval-items" if isinstance(row["item"], dict) else ""
    turns = row.get("conversations")
    first = turns[0] if isinstance(turns, list) and turns else None
    return "shared-training" if isinstance(first, dict) and "from" in first else ""


def _form_of_body(row: Mapping[str, Any]) -> str:
    contents = row.get("contents")
    if isinstance(contents, list):
        last = contents[-1] if contents else None
        is_answered = isinstance(last, dict) and last.get("role") == "model" and len(contents) > 1
        return "gemini-training" if is_answered and "model" not in row else "gemini-bodies"
    if (form := _form_of_records(row)) != "":
        return form
    if "preferred_output" in row and "input" in row:
        return "preference-training"
    if set(row) == {"prompt", "completion"}:
        return "completion-training"
    messages = row.get("messages")
    if isinstance(messages, list) and messages:
        last = messages[-1]
        if isinstance(last, dict) and last.get("role") == "assistant":
            return "chat-training"
        if isinstance(row.get("model"), str):
            return "bodies"
    return ""
