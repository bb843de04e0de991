"""The common form of all sources of rows, and of the ready-made requests among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypedDict

from tui.compose.requests.documents.bodies import ID_NAMES, endpoint_of_body
from tui.compose.requests.documents.row_forms import form_of
from tui.compose.requests.other_formats import chat_of_gemini, messages_of_bedrock
from tui.compose.requests.prompts import MESSAGES_URL, SCALEDOWN_MODELS, own_row
from tui.compose.requests.recognition import by_form
from tui.compose.sources.quoted_cells import Quoting
from tui.compose.sources.table_format import LongRows
from tui.core.rows import RowOrigin
from tui.core.text import one_line, quoted
from tui.errors import InputError
from tui.paths import is_file

Row = dict[str, Any]
"""A row: column names to values. CSV and text files have only strings; JSON has any value."""

SourceKind = Literal["table", "text", "requests"]


class OpenOptions(TypedDict, total=False):
    """How a source is opened.

    Attributes:
        trusted: The user allowed this Python file to run.
        delimiter: The delimiter of a table; detected by default.
        encoding: The encoding of a table or text; detected by default.
        header: Whether the first row holds the column names; detected by default.
        quoting: How the quotation marks of a table are read; detected by default.
        long_rows: What becomes of rows with too many cells; refused by default.
        stdin: The stream that ``-`` reads.
    """

    trusted: bool
    delimiter: str | None
    encoding: str | None
    header: bool | None
    quoting: Quoting | None
    long_rows: LongRows | None
    stdin: BinaryIO | None


@dataclass(frozen=True)
class Source:
    """Rows that can be read more than once, each time from the start.

    Attributes:
        name: The path, with the table, query or sheet if there is one.
        kind: ``requests`` are ready-made requests, which need no template.
        columns: The column names that a template may use, in order; for JSON, those of the
            first rows.
        count: The number of rows, approximate unless ``exact``; ``None`` if unknown.
        base: The folder that relative paths in the rows start from.
        notes: What was detected, such as the encoding of a table.
        doubts: What was read but is not certain or not complete, with its place: bytes that
            were replaced, short rows, marks that quote nothing. Each is a sentence.
        alternatives: What else can be done with a file that is no table, such as results of a
            batch: a sentence with a command.
        exact: Whether ``count`` is exact.
        late_doubts: The same as ``doubts``, found by the last pass over the rows.
        delimited: Whether it is a delimited table, so that delimiter, encoding and header can
            be set.
        open_rows: Starts a pass over the rows. Errors number the rows from 1.
        ids: The column with the ids of the requests, for a template that does not name one.
        origin: The job whose rows these are.
        fetched: Of a file at an address: whether it was fetched now, in words.
        open_slices: Starts a pass over the same rows in slices, each row a list of strings in
            the order of ``columns``. Only for tables, where every row has all columns.
    """

    name: str
    kind: SourceKind
    columns: tuple[str, ...]
    open_rows: Callable[[], Iterator[Row]] = field(repr=False)
    count: int | None = None
    base: Path = Path()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    alternatives: str = ""
    exact: bool = False
    late_doubts: Callable[[], tuple[str, ...]] = field(default=tuple, repr=False)
    delimited: bool = False
    ids: str = ""
    origin: RowOrigin | None = None
    fetched: str = ""
    open_slices: Callable[[], Iterator[list[list[str]]]] | None = field(default=None, repr=False)

    def rows(self) -> Iterator[Row]:
        """Stream the rows.

        Raises:
            InputError: A row cannot be read; the error names it.
        """
        return self.open_rows()


def must_exist(path: Path) -> None:
    """Check that a file exists.

    Raises:
        InputError: It does not.
    """
    if not is_file(path):
        raise InputError(f"{quoted(str(path), 200)} does not exist", "Check the path.", path=path)


def missing_extra(path: Path, other: str = "the table as CSV") -> InputError:
    """The error for a file whose reader is not installed; ``other`` is what to save instead."""
    return InputError(
        f"{quoted(path.name)} needs the extra 'tables', which is not installed",
        f"Run pip install 'batchdeck[tables]', or save {other}.",
        path=path,
    )


def unreadable(
    path: Path,
    error: BaseException,
    hint: str = "Check that the content matches the file extension.",
    *,
    what: str = "",
) -> InputError:
    """The error for a file that its reader does not understand.

    Args:
        path: The file.
        error: What the reader says.
        hint: What the user can do.
        what: What that means, where the words of the reader do not tell.
    """
    said = f"{what}: {one_line(str(error), 160)}" if what else one_line(str(error), 160)
    return InputError(f"{quoted(path.name)} cannot be read: {said}", hint, path=path)


def source_of_cells(
    path: Path,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    notes: tuple[str, ...],
    doubts: Iterable[str],
) -> Source:
    """A source of a table that is in memory: each row has one text for each of ``columns``."""

    def open_rows() -> Iterator[Row]:
        return (dict(zip(columns, row, strict=True)) for row in rows)

    return Source(
        str(path),
        "table",
        tuple(columns),
        open_rows,
        count=len(rows),
        exact=True,
        base=path.parent,
        notes=notes,
        doubts=tuple(doubts),
    )


def object_source(
    path: Path, open_rows: Callable[[], Iterator[Row]], *, sampled: int, hint: str
) -> Source:
    """A source of objects; the first ``sampled`` rows give the columns and the kind.

    Raises:
        InputError: There are no rows (``hint`` says what to do), or one of the first is invalid.
    """
    first = list(islice(open_rows(), sampled))
    if not first:
        raise InputError(f"{quoted(str(path), 200)} has no rows", hint, path=path)
    form = form_of(first)
    found = by_form(form, first, path.name)
    return Source(
        name=str(path),
        kind="requests" if all(map(is_request, first)) else "table",
        notes=(found.what,) if form and found.kind != "requests" else (),
        columns=tuple(dict.fromkeys(column for row in first for column in row)),
        open_rows=open_rows,
        count=len(first) if len(first) < sampled else None,
        exact=len(first) < sampled,
        base=path.parent,
    )


def no_rows(source: Source) -> InputError:
    """The error for a source without rows."""
    hint = "Check the source."
    if source.columns and "header row" in source.notes:
        hint = "Its only row is read as the header; --no-header reads it as a row."
    return InputError(f"{quoted(source.name, 200)} has no rows", hint)


def as_row(value: Any, number: int, path: Path | None) -> Row:
    """Convert a JSON value to a row.

    Raises:
        InputError: The value is neither an object nor a string.
    """
    if isinstance(value, dict):
        # A Python builder may yield keys that are not strings.
        is_row = all(isinstance(key, str) for key in value)
        return value if is_row else {str(key): inner for key, inner in value.items()}
    if isinstance(value, str):
        return {"text": value}
    raise InputError(
        f"row {number} is neither an object nor a string",
        'Write rows such as {"name": "…"}.',
        path=path,
        line=number,
    )


CHAT_URL = "/v1/chat/completions"


def is_request(row: Mapping[str, Any]) -> bool:
    """Whether a row is a ready-made request rather than data for a template."""
    return normalize_request(row) is not None


def normalize_request(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Convert a ready-made request to ``custom_id``, ``method``, ``url`` and ``body``.

    OpenAI's form is kept; the method defaults to POST and the url to the chat endpoint, as in
    Mistral's form. Anthropic's ``params`` become the body of a Messages request, ScaleDown's
    flat form the body of a chat request. A bare body, and Gemini's, Vertex AI's and Bedrock's
    rows are converted if nothing is lost; the custom_id is then their key, if they have one.

    Returns:
        The request; ``None`` if the row is not one, or cannot be converted.
    """
    custom_id = row.get("custom_id")
    if isinstance(row.get("body"), dict) and "custom_id" in row:
        return {
            "custom_id": custom_id,
            "method": row.get("method") or "POST",
            "url": row.get("url") or CHAT_URL,
            "body": row["body"],
        }
    if isinstance(row.get("params"), dict) and "custom_id" in row:
        return _post(custom_id, MESSAGES_URL, row["params"])
    if "custom_id" in row and row.get("model") in SCALEDOWN_MODELS:
        if not isinstance(row.get("text"), str):
            return None
        names = ("custom_id", "method", "url")
        body = {k: value for k, value in row.items() if k not in names and value is not None}
        return _post(custom_id, CHAT_URL, body)
    form = form_of([row])
    if form in ("bodies", "conversations", "embedding-bodies"):
        return _of_body(form, row)
    if form in ("gemini", "vertex"):
        if "messages" in row["request"]:
            return _post(custom_id, MESSAGES_URL, row["request"])
        chat = chat_of_gemini(row["request"])
        if chat is not None:
            return _post(row.get("key"), CHAT_URL, chat)
        own = own_row(row) if "key" in row else None
        return None if own is None else _post(*own)
    if form == "bedrock":
        message = messages_of_bedrock(row["modelInput"])
        if message is not None:
            return _post(row["recordId"], MESSAGES_URL, message)
        own = own_row(row)
        return None if own is None else _post(*own)
    return None


def _of_body(form: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A request whose body stands alone, perhaps beside its id."""
    names = ID_NAMES if form == "conversations" else ("custom_id",)
    custom_id = next((row[name] for name in names if name in row), None)
    body = {name: value for name, value in row.items() if name not in names}
    # Only Anthropic's Messages have their system message beside the messages.
    url = MESSAGES_URL if "system" in body and "max_tokens" in body else CHAT_URL
    return _post(custom_id, endpoint_of_body(row) or url, body)


def _post(custom_id: Any, url: str, body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": dict(body)}
