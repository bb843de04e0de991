"""What a file is, by name: the one recognition that all doors use.

The first rows decide. Shapes of foreign files are those of the providers' batch documentation:
OpenAI, Azure and Mistral (``custom_id``, ``body``; results ``response``, ``error``), Anthropic
(``params``; results ``result``), Gemini (``key``, ``request``; results ``key``, ``response``),
Vertex AI (``request``; results with ``status``), Bedrock (``recordId``, ``modelInput``; results
``modelOutput``), and OpenAI's fine-tuning formats.
"""

from __future__ import annotations

import codecs
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.prompts import SCALEDOWN_MODELS
from tui.core.text import BOM, quoted, visible

FileKind = Literal[
    "requests", "convertible", "foreign", "results", "training", "rows", "document", "packed",
    "pointer", "other",
]  # fmt: skip
"""What can be done with a file.

``requests`` can be checked and submitted. ``convertible`` are requests that ``compose`` writes
in the common form. ``foreign`` are requests of a provider that no dialect speaks. ``results`` are
answers of a batch, ``training`` are examples for fine-tuning, ``rows`` are JSON lines of other
objects, ``document`` is one JSON document, ``packed`` is a compressed file, ``pointer`` stands
for a file that is not here, ``other`` is none of these.
"""

_HEAD = 1 << 18
_SAMPLED = 20


class Recognition(NamedTuple):
    """What a file is.

    Attributes:
        kind: What can be done with it.
        what: What it is, such as ``Gemini batch requests (key, request)``.
        can: What can be done, as a sentence with a command.
        form: The name of its form, such as ``gemini``; empty if it has none.
    """

    kind: FileKind
    what: str
    can: str = ""
    form: str = ""

    @property
    def line(self) -> str:
        """One line that says what the file is and what can be done."""
        return f"{self.what}. {self.can}".rstrip(". ") + "."

    @property
    def alternatives(self) -> str:
        """What can be done with it besides taking it as a table."""
        return "; ".join(way for way in self.can.split("; ") if "-t TEMPLATE" not in way)


class _Form(NamedTuple):
    kind: FileKind
    what: str
    can: str


_AS_TABLE = "`batchdeck compose {file} -t TEMPLATE` makes requests from its columns"
_RESULTS = (
    "`batchdeck import-results REQUESTS {file}` opens them with their requests as a job;"
    f" {_AS_TABLE}"
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
        f"No account can send this format; {_AS_TABLE}",
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
        "results", "result rows as Batchdeck writes them (custom_id, outcome, text)", _AS_TABLE
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
        f"It is training data, not a batch; {_AS_TABLE}",
    ),
    "completion-training": _Form(
        "training",
        "fine-tuning data (prompt, completion)",
        f"It is training data, not a batch; {_AS_TABLE}",
    ),
    "preference-training": _Form(
        "training",
        "preference fine-tuning data (input, preferred_output)",
        f"It is training data, not a batch; {_AS_TABLE}",
    ),
    "bodies": _Form(
        "rows",
        "request bodies (model, messages) without custom_id, method and url",
        f"`batchdeck compose {{file}} -o NEW.jsonl` adds them; {_AS_TABLE}",
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
    found = _by_bytes(head, name) or _by_rows(head, name, whole=whole)
    if found.kind == "requests" and found.form and _is_utf16(head):
        can = f"`batchdeck compose {name} -o NEW.jsonl` writes them in UTF-8"
        return Recognition("convertible", f"{found.what} in UTF-16", can, found.form)
    return found


def not_text(head: bytes) -> str:
    """What a file is that is no text, from its first bytes; empty for a text."""
    found = _by_bytes(head, "") if head else Recognition("other", "an empty file")
    return "" if found is None or found.form in ("markup", "web-page") else found.what


def _is_utf16(head: bytes) -> bool:
    return (
        head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        or utf16_without_mark(head) is not None
    )


_PACKED = (
    (b"\x1f\x8b", "gzip", "`gunzip -k {file}` unpacks it; compose reads it directly"),
    (b"BZh", "bzip2", "`bunzip2 -k {file}` unpacks it; compose reads it directly"),
    (b"\xfd7zXZ\x00", "xz", "`unxz -k {file}` unpacks it; compose reads it directly"),
    (b"\x28\xb5\x2f\xfd", "zstd", "`unzstd {file}` unpacks it"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "`7z x {file}` unpacks it"),
)
_PACKED_NAMES = {"gzip": "a gzip file", "bzip2": "a bzip2 file", "xz": "an xz file"}
_BINARY = (
    (b"PAR1", "parquet", "a Parquet table", _AS_TABLE),
    (b"SQLite format 3\x00", "sqlite", "an SQLite database",
     "`batchdeck compose {file}::TABLE` opens it"),
    (b"\xd0\xcf\x11\xe0", "spreadsheet", "an old Excel or Office file", _AS_TABLE),
    (b"%PDF-", "binary", "a PDF document", "Save its text as .txt"),
    (b"{\\rtf", "binary", "an RTF document", "Save its text as .txt"),
    (b"ARROW1", "arrow", "an Arrow (Feather) table", _AS_TABLE),
    (b"\xff\xff\xff\xff", "arrow-stream", "an Arrow stream", _AS_TABLE),
    (b"FEA1", "binary", "a table of the first version of Feather",
     "Save it as Parquet or CSV with the program that wrote it"),
    (b"\x89HDF", "binary", "an HDF5 file", "Save its rows as Parquet or CSV"),
    (b"Obj\x01", "binary", "an Avro file", "Save its rows as Parquet or JSON lines"),
    (b"$FL2", "binary", "a data set of SPSS", "Save its rows as CSV"),
    (b"<stata_dta>", "binary", "a data set of Stata", "Save its rows as CSV"),
    (b"\x89PNG", "binary", "an image (PNG)", "For images use a table with their paths and --image"),
    (b"\xff\xd8\xff", "binary", "an image (JPEG)",
     "For images use a table with their paths and --image"),
    (b"GIF8", "binary", "an image (GIF)", "For images use a table with their paths and --image"),
)  # fmt: skip
_LFS = b"version https://git-lfs.github.com/spec/"
_OFFICE = ((b"word/", "a Word document"), (b"ppt/", "a PowerPoint file"))


def _by_bytes(head: bytes, name: str) -> Recognition | None:
    """Recognise a file that is not text, or not the text that its name says."""
    if not head.strip():
        return Recognition("other", "an empty file", "Use a file with rows")
    if head.startswith(_LFS):
        return Recognition(
            "pointer",
            "a Git LFS pointer: the content is not on this machine",
            f"`git lfs pull --include {name}` gets it",
        )
    for start, form, can in _PACKED:
        if head.startswith(start):
            what = _PACKED_NAMES.get(form, f"a {form} file")
            return Recognition("packed", what, can.format(file=name), form)
    if head.startswith(b"PK\x03\x04"):
        return _by_archive(head, name)
    for start, form, what, can in _BINARY:
        if head.startswith(start):
            return Recognition("other", what, can.format(file=name), form)
    return _by_markup(head, name) or _by_control_characters(head)


JOB_ARCHIVE = "batchdeck"
"""The form of an archive of a job."""

_FIRST_ENTRY = b"batchdeck.json"


def _by_archive(head: bytes, name: str) -> Recognition:
    if head[30 : 30 + len(_FIRST_ENTRY)] == _FIRST_ENTRY:
        can = f"`batchdeck import-results {name}` opens it as a job; in the dashboard, open it"
        return Recognition("packed", "a job archive of Batchdeck", can, JOB_ARCHIVE)
    if b"xl/" in head or b"opendocument.spreadsheet" in head:
        return Recognition("other", "a spreadsheet", _AS_TABLE.format(file=name), "spreadsheet")
    for part, what in _OFFICE:
        if part in head:
            return Recognition("other", what, "Save its text as .txt", "binary")
    can = f"`unzip {name}` unpacks it; compose reads it directly, or {name}::NAME if it has several"
    return Recognition("packed", "a ZIP archive", f"{can} files", "zip")


_SCRIPT = re.compile(
    r"(?:export default|module\.exports\s*=|(?:(?:var|let|const)\s+)?[\w.$]+\s*[=(])\s*[\[{]"
)


PAGE_ENDINGS = (".html", ".htm", ".xls", ".xlsx", ".xlsm", ".xlsb", ".ods")
"""Endings of files that may be a web page with a table: some programs save one as Excel."""


def _by_markup(head: bytes, name: str) -> Recognition | None:
    start = decoded_head(head[:4096]).lstrip("\ufeff \t\r\n")[:200].lower()
    if _SCRIPT.match(start) and name.rstrip("'\"").lower().endswith((".js", ".json", ".jsonl")):
        can = "Delete what stands before the first [ or { and what follows the last ] or }"
        return Recognition("other", "JavaScript with JSON inside, not JSON", can, "markup")
    if start.startswith("<?xml") and "excel.sheet" in start:
        can = "Open it in Excel and save it as .xlsx"
        return Recognition("other", "an XML spreadsheet of Excel 2003", can, "markup")
    if start.startswith("<?xml") and "<html" not in start:
        can = "Perhaps the download failed; download it again, or save its rows as CSV"
        return Recognition("other", "an XML document", can, "markup")
    if start.startswith(("<!doctype html", "<html", "<?xml", "<table", "<head", "<body")):
        can = "Perhaps the download failed; download it again"
        is_page = name.rstrip("'\"").lower().endswith(PAGE_ENDINGS)
        if b"<tr" in head.lower() and is_page:
            can = _AS_TABLE.format(file=name).replace("its columns", "its table")
        elif b"<tr" in head.lower():
            can += f"; to read its table, rename {name} to .html"
        return Recognition("other", "a web page (HTML)", can, "web-page")
    return None


_CONTROL = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b\x01\x1e\x1f"})
_MOST_CONTROL = 0.05
_LEAST_CONTROL = 16
_ZEROS = re.compile(rb"\x00{16,}(?=\s|$)|(?<=\n)\x00{16,}")


def _by_control_characters(head: bytes) -> Recognition | None:
    """Recognise what is no text by its control characters."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return None
    # A file that was not written to its end is filled up with zeros, as is a gap in it.
    text = _ZEROS.sub(b"", head) or head
    if head[257:262] == b"ustar":
        can = "`tar xf` unpacks it"
        return Recognition("packed", "a tar archive", can, "tar")
    if utf16_without_mark(head):
        return None
    controls = len(text) - len(text.translate(None, _CONTROL))
    if 0 not in text or controls < _LEAST_CONTROL or controls <= _MOST_CONTROL * len(text):
        return None
    can = "Save its rows as CSV, JSON lines, Excel or Parquet"
    return Recognition("other", "a binary file, not text", can, "binary")


def _by_rows(head: bytes, name: str, *, whole: bool) -> Recognition:
    text = after_comments(decoded_head(head))
    start = text[:1]
    if is_array_start(text):
        rows = _array_head(text, text.index("[") + 1)
        return _in_array(rows, name)
    if start != "{":
        return Recognition("other", "a table or text", _AS_TABLE.format(file=name))
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
        if found.form:
            return found
    return by_form(form_of(rows), rows, name)


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
    if found is None:
        columns = ", ".join(list(rows[0])[:6]) if rows else ""
        return Recognition(
            "rows", f"JSON rows ({columns}) that are not requests", _AS_TABLE.format(file=name)
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
    return re.match(r'\[\s*(?:[\[{"\]]|null\b)', text) is not None


def is_json_text(text: str) -> bool:
    """Whether a text is one whole JSON value; NaN counts as one."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def decoded_head(head: bytes) -> str:
    """The first bytes of a file as text; a few wrong bytes do not matter."""
    for mark, encoding in (
        (BOM, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return head.decode(encoding, "replace")
    return head.decode(utf16_without_mark(head) or "utf-8", "replace")


def utf16_without_mark(head: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: text has no zero bytes in any other encoding."""
    if b"\x00" not in head or len(head) < 4:
        return None
    head = head[: len(head) // 2 * 2]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        # Line ends, digits and delimiters are ASCII in every language.
        if zeros.count(0) * 20 < len(zeros):
            continue
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            text = decoder.decode(head)
        except UnicodeDecodeError:
            continue
        if "\n" not in text and b"\n" in head:
            continue
        if not any(char < " " and char not in "\t\r\n\f\v" for char in text) and not any(
            "\ue000" <= char <= "\uf8ff" or char in "\ufffe\uffff" for char in text
        ):
            return encoding
    return None


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
        "document", f"a JSON array of {of}", (inner.can if inner else _AS_TABLE).format(file=name),
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
        can = _AS_TABLE.format(file=name)
        return Recognition("document", "one JSON object that holds a table", can, "document")
    if not keys:
        return Recognition("document", "one JSON object, not rows", "Write one row per line")
    key, rows = keys[0]
    form = form_of(rows[:_SAMPLED])
    inner = _FORMS.get(form)
    count = f"{len(rows):,} {'object' if len(rows) == 1 else 'objects'}"
    what = f"one JSON object; a list of {count} is at {quoted(key)}"
    if inner and inner.kind in ("requests", "convertible"):
        can = f"`batchdeck compose {name}::{key} -o NEW.jsonl` writes one request per line"
        return Recognition("convertible", f"{what}: {inner.what}", can, form)
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
    can = (inner.can if inner else _AS_TABLE).format(file=name)
    return Recognition("document", what, can, form_of(rows))


def lists_in(value: Mapping[str, Any], depth: int = 3) -> list[tuple[str, list[Any]]]:
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
        if has("response") or has("status"):
            return "vertex-results"
        return "gemini" if has("key") else "vertex"
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


def _form_of_body(row: Mapping[str, Any]) -> str:
    if "contents" in row and isinstance(row["contents"], list):
        return "gemini-bodies"
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
