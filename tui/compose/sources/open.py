"""Open a source from its specification: a path, a pattern, a query or ``-``."""

from __future__ import annotations

import bz2
import glob
import gzip
import importlib
import lzma
import shutil
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from tui.addresses import is_address
from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.documents.python_values import looks_like_python, python_value
from tui.compose.requests.recognition import (
    DOCUMENTS,
    after_comments,
    is_array_start,
    is_json_text,
    recognize,
)
from tui.compose.requests.signatures import PAGE_ENDINGS, Recognition, decoded_head
from tui.compose.sources.base import Row, Source
from tui.compose.sources.columnar import (
    ColumnarForm,
    is_saved_dataset,
    open_columnar,
    open_saved_dataset,
)
from tui.compose.sources.delimited import open_table
from tui.compose.sources.documents.json_rows import open_array, open_document, open_lines
from tui.compose.sources.documents.records import open_records
from tui.compose.sources.documents.yaml_rows import open_toml, open_yaml
from tui.compose.sources.python_file import open_builder
from tui.compose.sources.quoted_cells import Quoting
from tui.compose.sources.spreadsheets.excel import open_excel
from tui.compose.sources.spreadsheets.page import open_page
from tui.compose.sources.spreadsheets.printed_table import may_be_printed, open_printed
from tui.compose.sources.sqlite import open_query
from tui.compose.sources.table_format import (
    DELIMITER_NAMES,
    LongRows,
    detect_delimiter,
    whole_records,
)
from tui.compose.sources.text import TextUnit, open_files, open_text
from tui.core.formatting import size
from tui.core.text import quoted
from tui.errors import InputError, PartNeededError
from tui.paths import is_folder, path_exists, split_part

_BY_EXTENSION = {
    ".csv": "table",
    ".tsv": "table",
    ".tab": "table",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "array",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".txt": "text",
    ".md": "text",
    ".text": "text",
    ".sqlite": "database",
    ".sqlite3": "database",
    ".db": "database",
    ".py": "builder",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "excel",
    ".xls": "excel",
    ".xlsb": "excel",
    ".xlsm": "excel",
    ".ods": "excel",
    ".fods": "excel",
    ".html": "page",
    ".htm": "page",
}
_BY_FORM = {
    "parquet": "parquet",
    "arrow": "arrow",
    "arrow-stream": "arrow-stream",
    "sqlite": "database",
    "spreadsheet": "excel",
}
"""Files that are recognised by their first bytes, whatever their names end with."""

_UNITS: dict[str, TextUnit] = {
    "": "lines",
    "lines": "lines",
    "paragraphs": "paragraphs",
    "whole": "whole",
}


def runs_code(spec: str) -> bool:
    """Whether opening ``spec`` runs a Python file, so that the user must be asked first."""
    if is_address(spec):
        return False
    path = Path(split_part(spec)[0])
    return _BY_EXTENSION.get(path.suffix.lower()) == "builder" and not is_folder(path)


def has_known_ending(name: str) -> bool:
    """Whether the ending of a file's name says what the file holds, or how it is packed."""
    return Path(name).suffix.lower() in {*_BY_EXTENSION, *_PACKED_ENDINGS}


def open_source(
    spec: str,
    *,
    trusted: bool = False,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    quoting: Quoting | None = None,
    long_rows: LongRows | None = None,
    stdin: BinaryIO | None = None,
    most_bytes: int | None = None,
) -> Source:
    """Open a source; the file extension, or else the content, decides what it is.

    =============================  ==================================================
    ``products.csv``, ``.tsv``     a table; see ``open_table`` for the options
    ``rows.jsonl``, ``rows.json``  JSON objects, or ready-made requests; ``rows.json::data``
    ``rows.yaml``, ``rows.toml``   a list, or an object with rows inside; ``rows.yaml::tests``
    ``notes.txt``                  a document per line; ``notes.txt::paragraphs``,
                                   ``notes.txt::whole``
    ``folder``, ``docs/*.md``      a document per file
    ``shop.db::products``          an SQLite table; ``shop.db::SELECT …``
    ``builder.py``                 a Python program, only if trusted
    ``x.parquet``, ``x.feather``   needs the extra ``tables``
    ``x.xlsx``, ``x.ods``          needs the extra ``tables``; ``x.xlsx::Sheet``
    ``-``                          standard input, detected by its content
    =============================  ==================================================

    Args:
        spec: What to open.
        trusted: Whether a Python file may be run.
        delimiter: The delimiter of a table; detected if ``None``.
        encoding: The encoding of a table or text; detected if ``None``.
        header: Whether the first row of a table is a header; detected if ``None``.
        quoting: How the quotation marks of a table are read; detected if ``None``.
        long_rows: What becomes of rows of a table with too many cells; refused by default.
        stdin: The stream for ``-``; ``sys.stdin`` by default.
        most_bytes: The largest size of what a packed file holds; unbounded by default.

    Raises:
        InputError: The source cannot be opened.
    """
    options = TableOptions(delimiter, encoding, header, quoting, long_rows)
    if spec == "-":
        return _open_stdin(stdin or sys.stdin.buffer, options)
    location, part = split_part(spec)
    path = Path(location)
    if is_folder(path) and is_saved_dataset(path):
        return open_saved_dataset(path, part.strip())
    if is_folder(path) or (not path_exists(path) and glob.has_magic(location)):
        return open_files(location)
    named = _BY_EXTENSION.get(path.suffix.lower(), "")
    if named == "builder":
        return open_builder(path, trusted=trusted)
    found = recognize(path)
    if found.kind == "packed" and found.form in _UNPACKERS:
        return _open_packed(path, found.form, part.strip(), options, most_bytes)
    if found.kind in ("pointer", "packed") or found.form in _NOT_READ:
        raise InputError(f"{quoted(path.name)} is {found.what}", f"{found.can}.", path=path)
    if found.form == "web-page":
        return _open_page(path, found, options)
    if (form := found.record_form) is not None and _reads_records(named, part, options):
        return open_records(path, form, options.encoding)
    kind = _BY_FORM.get(found.form) or _text_kind(path, named, options)
    source = _open_printed(kind, path, part, options) or _open_kind(
        kind, path, part.strip(), options
    )
    alike = ({"lines", "array"}, {"arrow", "arrow-stream"})
    if named and kind != named and {kind, named} not in alike:
        doubt = f"read as {_SAID[kind]}, in spite of its extension {path.suffix.lower()}"
        source = replace(source, doubts=(*source.doubts, doubt))
    if source.kind != "requests" and found.kind in ("results", "training", "foreign"):
        source = replace(source, alternatives=found.alternatives)
    return source


def _reads_records(named: str, part: str, options: TableOptions) -> bool:
    """Whether a file of records is read as such: not if its lines or cells are asked for."""
    return named in ("", "text") and not part and options._replace(encoding=None) == TableOptions()


_NOT_READ = ("binary", "markup", "failed-download", "tar")
_SAID = {
    "table": "a table of text", "lines": "JSON", "array": "JSON", "text": "text",
    "parquet": "a Parquet table", "arrow": "an Arrow table", "arrow-stream": "an Arrow table",
    "database": "an SQLite database", "excel": "a spreadsheet",
}  # fmt: skip


class TableOptions(NamedTuple):
    """How to read a table; ``None`` is detected."""

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    quoting: Quoting | None = None
    long_rows: LongRows | None = None


def _open_printed(kind: str, path: Path, part: str, options: TableOptions) -> Source | None:
    """Open a table that was printed with bars; ``None`` if the file is something else."""
    is_given = options._replace(encoding=None) != TableOptions()
    if kind not in ("table", "text") or part or is_given:
        return None
    with open_bytes(path) as file:
        head = decoded_head(file.read(_HEAD))
    return open_printed(path, options.encoding) if may_be_printed(head) else None


def _open_kind(kind: str, path: Path, part: str, options: TableOptions) -> Source:
    if kind == "table":
        return open_table(path, **options._asdict())
    if kind in ("lines", "array"):
        return _open_json(path, part, options.header)
    if kind == "yaml":
        return open_yaml(path, part, options.header, options.encoding)
    if kind == "toml":
        return open_toml(path, part, options.header)
    if kind == "database":
        return open_query(path, part)
    if kind in ("parquet", "arrow", "arrow-stream"):
        return open_columnar(path, cast(ColumnarForm, kind))
    if kind == "excel":
        return open_excel(path, part, header=options.header)
    if part not in _UNITS:
        raise InputError(
            f"a text cannot be split by {quoted(part)}",
            "Append ::lines, ::paragraphs or ::whole to the path.",
            path=path,
        )
    source = open_text(path, unit=_UNITS[part], encoding=options.encoding)
    doubt = "" if part else _table_in_text(path)
    return replace(source, doubts=(*source.doubts, doubt)) if doubt else source


def _open_json(path: Path, part: str, header: bool | None) -> Source:
    """Open JSON by its content: files of every ending hold lines, an array or one document."""
    if part:
        return open_document(path, part)
    with open_bytes(path) as file:
        head = file.read(_HEAD)
        whole = not file.read(1)
    text = after_comments(decoded_head(head))
    if text.startswith("["):
        return open_array(path, header)
    # A first line that is no JSON by itself begins an object that goes on over several lines.
    first, *rest = text.split("\n", 1)
    is_json = is_json_text(first)
    if is_json and ((rest and rest[0].strip()) or not whole):
        return open_lines(path, header)
    if is_json:
        return _open_single(path)
    if looks_like_python(first):
        return _open_python(path, first, header)
    if text.startswith("{") and not is_json_text(first.rstrip().removesuffix(",")):
        is_document = not first.rstrip().endswith("}") or path.suffix.lower() in DOCUMENTS
        return open_document(path) if is_document else open_lines(path, header)
    return open_lines(path, header)


def _open_python(path: Path, first: str, header: bool | None) -> Source:
    """Open rows that Python wrote, one per line, or else one object over several lines."""
    try:
        python_value(first)
    except ValueError:
        is_document = path.suffix.lower() in DOCUMENTS
        return open_document(path) if is_document else open_lines(path, header)
    return open_lines(path, header)


def _open_single(path: Path) -> Source:
    """Open a file with one object: one row, or rows under its only list of objects."""
    source = open_lines(path)
    if path.suffix.lower() not in DOCUMENTS or source.kind == "requests":
        return source
    return open_document(path)


def _open_page(path: Path, found: Recognition, options: TableOptions) -> Source:
    """Open a web page for its table, if its name promises a table of such a kind.

    Raises:
        InputError: It is a page in place of another file, or has no table.
    """
    if path.suffix.lower() not in PAGE_ENDINGS:
        raise InputError(f"{quoted(path.name)} is {found.what}", f"{found.can}.", path=path)
    return open_page(path, header=options.header, encoding=options.encoding)


def _text_kind(path: Path, named: str, options: TableOptions) -> str:
    """What a text file holds: what its name says, if the content does not say otherwise."""
    with open_bytes(path) as file:
        head = file.read(_HEAD)
        whole = not file.read(1)
    text = decoded_head(head).lstrip("\ufeff")
    if not named:
        return _detect_kind(text, whole=whole)
    if named in ("excel", "parquet", "arrow", "database"):
        return "table" if _is_table(text, whole) else named
    start = text.lstrip()[:1]
    if named in ("yaml", "toml"):
        return named
    if named in ("table", "text") and start in ("{", "["):
        is_python = looks_like_python(text) and _is_python_head(text, whole=whole)
        if is_python or _is_json_head(text, whole=whole):
            return "array" if start == "[" else "lines"
    if named in ("lines", "array") and start not in ("{", "[", '"', "") and _is_table(text, whole):
        return "table"
    if named == "text" and (options.delimiter or options.quoting or options.header is not None):
        return "table"
    return named


def _is_json_head(text: str, *, whole: bool) -> bool:
    """Whether a text starts with JSON: a line that is an object or array, or one document."""
    lines = [line for line in text.split("\n", 20) if line.strip()]
    if is_json_text(lines[0]) and all(map(is_json_text, lines[1:-1])):
        return True
    return whole and is_json_text(text)


def _is_python_head(text: str, *, whole: bool) -> bool:
    """Whether the first line of a text is a value that Python wrote, or the whole text."""
    for part in (text.split("\n", 1)[0], text if whole else ""):
        try:
            return isinstance(python_value(part), (dict, list))
        except ValueError:
            continue
    return False


def _is_table(text: str, whole: bool) -> bool:
    delimiter = detect_delimiter(text, whole=whole)
    lines = [line for line in text.split("\n") if line.strip()][:20]
    return len(lines) > 1 and all(delimiter in line for line in lines)


def _table_in_text(path: Path) -> str:
    """What is said of a text whose lines look like rows of a table."""
    with open_bytes(path) as file:
        head = file.read(_HEAD)
        whole = not file.read(1)
    text = decoded_head(head).lstrip("\ufeff")
    delimiter = detect_delimiter(text, whole=whole)
    # A quoted cell may have the delimiter, or go on in the next line.
    quoting = "double" if '"' in text else "none"
    records = whole_records(text, delimiter, quoting, whole=whole)[: 200 if whole else 20]
    widths = {*map(len, records)}
    names = records[0] if records else []
    if len(records) < 3 or 1 in widths or (len(widths) > 1 and delimiter == ","):
        return ""
    if not all(0 < len(name.strip()) <= 30 and len(name.split()) < 4 for name in names):
        return ""
    name = DELIMITER_NAMES.get(delimiter, delimiter)
    typed = "tab" if delimiter == "\t" else f"'{delimiter}'"
    return f"the lines look like a {name}-separated table; --delimiter {typed} reads it as one"


def _open_zstd(path: Path) -> Any:
    """Open a Zstandard file with what is installed: Python 3.14, zstandard or PyArrow.

    Raises:
        InputError: Nothing that is installed reads it.
    """
    for name, function in (
        ("compression.zstd", "open"), ("zstandard", "open"), ("pyarrow", "input_stream"),
    ):  # fmt: skip
        try:
            return getattr(importlib.import_module(name), function)(str(path))
        except ImportError:
            continue
    found = recognize(path)
    raise InputError(f"{quoted(path.name)} is {found.what}", f"{found.can}.", path=path)


_UNPACKERS: dict[str, Any] = {
    "gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open, "lzma": lzma.open, "zstd": _open_zstd,
    "zip": None,
}  # fmt: skip
_PACKED_ENDINGS = (".gz", ".bz2", ".xz", ".lzma", ".zst", ".zip")


def _open_packed(
    path: Path, form: str, part: str, options: TableOptions, most: int | None
) -> Source:
    """Open a packed file by the name inside it: ``rows.csv.gz`` is a table."""
    suffix = path.suffix.lower()
    inner = path.with_suffix("") if suffix in _PACKED_ENDINGS else path
    member = ""
    if form == "zip":
        member, part = _zip_member(path, part)
        inner = Path(member)

    def unpack(copy: BinaryIO) -> None:
        try:
            if member:
                with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
                    _copy(packed, copy, path, most)
            else:
                with _UNPACKERS[form](path) as packed:
                    _copy(packed, copy, path, most)
        except _UNPACKING_FAULTS as error:
            raise InputError(
                f"{quoted(path.name)} cannot be unpacked: {error}", "Download it again.", path=path
            ) from None

    inside = f"::{member}" if member else ""
    source = _open_copy(unpack, inner.suffix, part, options, shown=f"{path.name}{inside}")
    return replace(
        source,
        name=f"{path}{inside}" + (f"::{part}" if part else ""),
        base=path.parent,
        notes=(*source.notes, form if form != "zip" else f"zip: {member}"),
        delimited=False,
    )


def _copy(packed: Any, copy: BinaryIO, path: Path, most: int | None) -> None:
    """Copy what a packed file holds.

    Raises:
        InputError: It is larger than ``most`` bytes.
    """
    written = 0
    while block := packed.read(1 << 18):
        written += len(block)
        if most is not None and written > most:
            raise InputError(
                f"{quoted(path.name)} unpacks to more than {size(most)}",
                "Raise that with --max-size 20GB, or max_megabytes under [sources] in config.toml.",
                path=path,
            )
        copy.write(block)


_UNPACKING_FAULTS = (
    OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError,
    NotImplementedError,
)  # fmt: skip


def _zip_member(path: Path, part: str) -> tuple[str, str]:
    """The file inside a ZIP archive, and the part of it: the named one, or the only one.

    Raises:
        InputError: It has several files and none is named, or none at all.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                info.filename
                for info in archive.infolist()
                if not info.is_dir()
                and not info.filename.startswith("__MACOSX/")
                and not Path(info.filename).name.startswith(".")
            ]
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{quoted(path.name)} cannot be unpacked: {error}", "Download it again.", path=path
        ) from None
    for name in names:
        if part == name or part.startswith(f"{name}::"):
            return name, part[len(name) + 2 :]
    if len(names) == 1:
        return names[0], part
    if not names:
        raise InputError(f"{quoted(path.name)} has no files", "Use another file.", path=path)
    listed = ", ".join(map(quoted, names[:10]))
    raise PartNeededError(f"{quoted(path.name)} has {len(names)} files: {listed}", names, path=path)


_HEAD = 1 << 16


def _detect_kind(text: str, *, whole: bool) -> str:
    """Detect the kind of a text from its content."""
    text = after_comments(text)
    start = text[:1]
    if start in ("{", '"') and _is_json_head(text, whole=whole):
        return "lines"
    if start == "{":
        return "lines"
    if is_array_start(text.lstrip()):
        return "array"
    first = text.partition("\n")[0]
    return "table" if detect_delimiter(text, whole=whole) in first else "text"


def _open_stdin(stdin: BinaryIO, options: TableOptions) -> Source:
    """Copy standard input to a temporary file, since rows may be read more than once."""
    source = _open_copy(
        lambda copy: shutil.copyfileobj(stdin, copy, 1 << 18), "", "", options, shown="-"
    )
    return replace(source, name="standard input", base=Path(), delimited=False, open_slices=None)


def _open_copy(
    fill: Callable[[BinaryIO], None], suffix: str, part: str, options: TableOptions, *, shown: str
) -> Source:
    """Open a temporary file, which is removed together with the source.

    Errors name it as ``shown``.
    """
    # The file must outlive this function.
    copy = tempfile.NamedTemporaryFile(  # noqa: SIM115
        prefix="batchdeck-", suffix=suffix, delete=False
    )
    path = Path(copy.name)
    try:
        with copy:
            fill(copy)  # type: ignore[arg-type]
        spec = f"{path}::{part}" if part else str(path)
        with _named(path, shown):
            source = open_source(spec, **options._asdict())
    except BaseException:
        path.unlink()
        raise
    weakref.finalize(source.open_rows, path.unlink, missing_ok=True)
    inner = source.open_rows

    def rows() -> Iterator[Row]:
        with _named(path, shown):
            yield from inner()

    tables = source.open_slices

    def slices() -> Iterator[list[list[str]]]:
        assert tables is not None
        with _named(path, shown):
            yield from tables()

    return replace(source, open_rows=rows, open_slices=slices if tables else None)


@contextmanager
def _named(copy: Path, shown: str) -> Iterator[None]:
    """Give errors the name that the user knows, in place of that of a temporary file."""
    try:
        yield
    except InputError as error:
        error.message, error.hint = (
            text.replace(str(copy), shown).replace(copy.name, shown)
            for text in (error.message, error.hint)
        )
        error.args = (error.message,)
        raise
