"""What a file is that is not text, or not the text that its name says, from its first bytes."""

from __future__ import annotations

import codecs
import re
from typing import Literal, NamedTuple

from tui.compose.requests.documents.record_forms import WHAT, RecordForm
from tui.core.text import BOM

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
    def record_form(self) -> RecordForm | None:
        """How its records are written, if it has tagged records."""
        return next((form for form in WHAT if form == self.form), None)

    @property
    def line(self) -> str:
        """One line that says what the file is and what can be done."""
        return f"{self.what}. {self.can}".rstrip(". ") + "."

    @property
    def alternatives(self) -> str:
        """What can be done with it besides taking it as a table."""
        return "; ".join(way for way in self.can.split("; ") if "-t TEMPLATE" not in way)


AS_TABLE = "`batchdeck compose {file} -t TEMPLATE` makes requests from its columns"
"""What can be done with a table."""


def not_text(head: bytes) -> str:
    """What a file is that is no text, from its first bytes; empty for a text."""
    found = recognize_bytes(head, "") if head else Recognition("other", "an empty file")
    return "" if found is None or found.form in ("markup", "web-page") else found.what


def is_utf16(head: bytes) -> bool:
    """Whether the first bytes of a file are UTF-16, with a mark or without."""
    return (
        head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        or utf16_without_mark(head) is not None
    )


_PACKED = (
    (b"\x1f\x8b", "gzip", "`gunzip -k {file}` unpacks it; compose reads it directly"),
    (b"BZh", "bzip2", "`bunzip2 -k {file}` unpacks it; compose reads it directly"),
    (b"\xfd7zXZ\x00", "xz", "`unxz -k {file}` unpacks it; compose reads it directly"),
    (b"]\x00\x00", "lzma", "`unlzma -k {file}` unpacks it; compose reads it directly"),
    (
        b"\x28\xb5\x2f\xfd",
        "zstd",
        "`unzstd {file}` unpacks it; compose reads it directly where the package zstandard is",
    ),
    (
        b"\x04\x22\x4d\x18",
        "lz4",
        "`unlz4 {file}` unpacks it; compose reads it directly with the extra `tables`",
    ),
    (b"7z\xbc\xaf\x27\x1c", "7z", "`7z x {file}` unpacks it"),
)
_PACKED_NAMES = {
    "gzip": "a gzip file",
    "bzip2": "a bzip2 file",
    "xz": "an xz file",
    "lzma": "an LZMA file",
    "zstd": "a Zstandard file",
    "lz4": "an LZ4 file",
}
_BINARY = (
    (b"PAR1", "parquet", "a Parquet table", AS_TABLE),
    (b"SQLite format 3\x00", "sqlite", "an SQLite database",
     "`batchdeck compose {file}::TABLE` opens it"),
    (b"\xd0\xcf\x11\xe0", "spreadsheet", "an old Excel or Office file", AS_TABLE),
    (b"%PDF-", "binary", "a PDF document", "Save its text as .txt"),
    (b"{\\rtf", "binary", "an RTF document", "Save its text as .txt"),
    (b"ARROW1", "arrow", "an Arrow (Feather) table", AS_TABLE),
    (b"\xff\xff\xff\xff", "arrow-stream", "an Arrow stream", AS_TABLE),
    (b"FEA1", "binary", "a table of the first version of Feather",
     "Save it as Parquet or CSV with the program that wrote it"),
    (b"\x89HDF", "binary", "an HDF5 file", "Save its rows as Parquet or CSV"),
    (b"Obj\x01", "binary", "an Avro file", "Save its rows as Parquet or JSON lines"),
    (b"$FL2", "binary", "a data set of SPSS", "Save its rows as CSV"),
    (b"<stata_dta>", "binary", "a data set of Stata", "Save its rows as CSV"),
    (b"X\n\x00\x00\x00", "binary", "a data set of R", "Save its rows as CSV"),
    *((start, "binary", "a data set of R", "Save its rows as CSV")
      for start in (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n")),
    (b"PGCOPY\n\xff\r\n\x00", "binary", "a binary copy of a PostgreSQL table",
     "Copy the table again with (FORMAT csv, HEADER)"),
    (b"PGDMP", "binary", "a dump of PostgreSQL",
     "Restore it with pg_restore, and save the table with \\copy … CSV HEADER"),
    (b"\x93NUMPY", "binary", "an array of NumPy", "Save its rows as CSV or Parquet"),
    (b"PK\x05\x06", "binary", "an empty ZIP archive", "Use another file"),
    (b"\x00\x01\x00\x00Standard ", "binary", "a database of Microsoft Access",
     "Save its table as CSV or Excel"),
    (b"bplist00", "binary", "a property list of Apple", "Save its rows as CSV or JSON"),
    (b"\x89PNG", "binary", "an image (PNG)", "For images use a table with their paths and --image"),
    (b"\xff\xd8\xff", "binary", "an image (JPEG)",
     "For images use a table with their paths and --image"),
    (b"GIF8", "binary", "an image (GIF)", "For images use a table with their paths and --image"),
)  # fmt: skip
_LATER: tuple[tuple[int, bytes, str, str], ...] = (
    (8, b"DUCK", "a DuckDB database", "Save a table as Parquet: COPY table TO 'rows.parquet'"),
    (12, b"\xc2\xea\x81\x60\xb3\x14\x11\xcf\xbd\x92\x08\x00", "a data set of SAS",
     "Save its rows as CSV"),
)  # fmt: skip
"""Signatures that are not at the start of a file, each with its place."""

_OLD_STATA = re.compile(rb"[\x69-\x73][\x01\x02]\x01\x00", re.DOTALL)
_PICKLE = re.compile(
    rb"\x80[\x02-\x05](?:\x95.{7}\x00|[\]}()c])"
    # The first two protocols have no mark; they start with a class, or an empty list or object.
    rb"|c[a-z_][\w.]*\n\w+\n(?:p\d+\n|[q(]\x00?)|\([ld]p\d+\n|[\]}]q[\x00-\x02]\(",
    re.DOTALL,
)
_ORC = re.compile(rb"ORC[\x00-\x1f].{0,64}[\x00-\x08]", re.DOTALL)
_R_TEXT = re.compile(rb"A\r?\n[23]\r?\n\d{5,6}\r?\n\d{5,6}\r?\n")
_SYLK = re.compile(rb"ID;P[^\n]*\n(?:[^\n]*\n){0,200}[CB];[XY]\d+;")
_DIF = re.compile(rb'TABLE\r?\n0,1\r?\n"')
_COLOURED = re.compile(rb"(?:\x1b\[[\d;]*m)+[\[{]")
_SAVE_SHEET = "Open it in Excel or LibreOffice and save it as .xlsx"
_BY_PATTERN = (
    (_PICKLE, "a pickle of Python", "Save its rows as Parquet, CSV or JSON lines in Python"),
    (_ORC, "an ORC table", "Save its rows as Parquet or CSV"),
    (_R_TEXT, "a data set of R", "Save its rows as CSV"),
    (_SYLK, "a spreadsheet in the SYLK format", _SAVE_SHEET),
    (_DIF, "a spreadsheet in the DIF format", _SAVE_SHEET),
    (_COLOURED, "JSON with the colours of a terminal", "Write it without them, as by jq -M"),
)
_DBASE_VERSIONS = b"\x02\x03\x30\x31\x32\x43\x63\x83\x8b\xcb\xf5\xfb"
_ANNEX = re.compile(rb"(?:\.\./)*/?(?:\.git/)?annex/objects/\S+\s*$")
_LFS = b"version https://git-lfs.github.com/spec/"
_OFFICE = ((b"word/", "a Word document"), (b"ppt/", "a PowerPoint file"))


def recognize_bytes(head: bytes, name: str) -> Recognition | None:
    """Recognise a file that is not text, or not the text that its name says."""
    if not head.strip():
        return Recognition("other", "an empty file", "Use a file with rows")
    if head.startswith(_LFS):
        return Recognition(
            "pointer",
            "a Git LFS pointer: the content is not on this machine",
            f"`git lfs pull --include {name}` gets it",
        )
    if _ANNEX.match(head):
        return Recognition(
            "pointer",
            "a git-annex pointer: the content is not on this machine",
            f"`git annex get {name}` gets it",
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
    for place, bytes_there, what, can in _LATER:
        if head.startswith(bytes_there, place):
            return Recognition("other", what, can, "binary")
    if _OLD_STATA.match(head):
        return Recognition("other", "a data set of Stata", "Save its rows as CSV", "binary")
    for pattern, what, can in _BY_PATTERN:
        if pattern.match(head):
            return Recognition("other", what, can, "binary")
    if _is_dbase(head):
        return Recognition("other", "a dBASE table", _SAVE_SHEET, "binary")
    return _by_markup(head, name) or _by_control_characters(head, name)


def _is_dbase(head: bytes) -> bool:
    """Whether a file is a dBASE table: a date, and a mark where its header says that it ends."""
    if len(head) < 65 or head[0] not in _DBASE_VERSIONS or not 1 <= head[2] <= 12:
        return False
    length = int.from_bytes(head[8:10], "little")
    # FoxPro adds 263 bytes.
    ends = (length - 1, length - 264)
    return 1 <= head[3] <= 31 and any(
        end % 32 == 0 and 64 <= end < len(head) and head[end] == 0x0D for end in ends
    )


JOB_ARCHIVE = "batchdeck"
"""The form of an archive of a job."""

_FIRST_ENTRY = b"batchdeck.json"


def _by_archive(head: bytes, name: str) -> Recognition:
    if head[30 : 30 + len(_FIRST_ENTRY)] == _FIRST_ENTRY:
        can = f"`batchdeck import-results {name}` opens it as a job; in the dashboard, open it"
        return Recognition("packed", "a job archive of Batchdeck", can, JOB_ARCHIVE)
    if b"xl/" in head or b"opendocument.spreadsheet" in head:
        return Recognition("other", "a spreadsheet", AS_TABLE.format(file=name), "spreadsheet")
    if b"Index/Document.iwa" in head or b"Index/Tables/" in head or b"index.zip" in head[:64]:
        can = "Export it from Numbers as Excel or CSV"
        return Recognition("other", "a document of Apple Numbers, Pages or Keynote", can, "binary")
    if head[30:58] == b"mimetypeapplication/epub+zip":
        return Recognition("other", "an e-book (EPUB)", "Save its text as .txt", "binary")
    for part, what in _OFFICE:
        if part in head:
            return Recognition("other", what, "Save its text as .txt", "binary")
    can = f"`unzip {name}` unpacks it; compose reads it directly, or {name}::NAME if it has several"
    return Recognition("packed", "a ZIP archive", f"{can} files", "zip")


_SCRIPT = re.compile(
    r"(?:export default|module\.exports\s*=|(?:(?:var|let|const)\s+)?[\w.$]+\s*[=(])\s*[\[{]"
)


_SQL_DUMP = re.compile(
    r"(?:/\*m![^\n]*\*/\s*|--[ \t]*\n)*-- (?:mysql|mariadb|postgresql database) dump"
    r"|pragma foreign_keys=off;\s*begin transaction;"
)
"""The first lines of a dump, in small letters."""


def _is_ascii_table(head: bytes) -> bool:
    """Whether records and cells end with the separators of ASCII, as in the mode of sqlite3."""
    widths = [record.count(b"\x1f") for record in head.split(b"\x1e", 4)[:-1]]
    return len(widths) > 1 and widths[0] > 0 and len({*widths}) == 1


PAGE_ENDINGS = (".html", ".htm", ".xls", ".xlsx", ".xlsm", ".xlsb", ".ods")
"""Endings of files that may be a web page with a table: some programs save one as Excel."""


def _by_markup(head: bytes, name: str) -> Recognition | None:
    start = decoded_head(head[:4096]).lstrip("\ufeff \t\r\n")[:200].lower()
    if _SCRIPT.match(start) and name.rstrip("'\"").lower().endswith((".js", ".json", ".jsonl")):
        can = "Delete what stands before the first [ or { and what follows the last ] or }"
        return Recognition("other", "JavaScript with JSON inside, not JSON", can, "markup")
    if start.startswith("mime-version:") and b"multipart/related" in head[:4096].lower():
        can = "Open it in Excel or a browser, and save it as .xlsx or .html"
        return Recognition("other", "a web archive (MHTML)", can, "markup")
    if _SQL_DUMP.match(start):
        can = "Load it into a database, and save its table as CSV or JSON lines"
        return Recognition("other", "a dump of a database (SQL)", can, "markup")
    if _is_ascii_table(head):
        can = "Save it as CSV"
        return Recognition("other", "a table with ASCII separators (0x1F and 0x1E)", can, "markup")
    if "<gnm:workbook" in start:
        can = f"`ssconvert {name} rows.xlsx` makes an Excel file of it"
        return Recognition("other", "a workbook of Gnumeric", can, "markup")
    if b"<office:document " in head[:4096] and b"opendocument.spreadsheet" in head:
        return Recognition("other", "a spreadsheet", AS_TABLE.format(file=name), "spreadsheet")
    is_workbook = b"urn:schemas-microsoft-com:office:spreadsheet" in head[:4096]
    if start.startswith("<?xml") and ("excel.sheet" in start or is_workbook):
        can = "Open it in Excel and save it as .xlsx"
        return Recognition("other", "an XML spreadsheet of Excel 2003", can, "markup")
    if start.startswith("<?xml") and "<html" not in start:
        can = "Save its rows as CSV or JSON lines"
        if "<error" in start:
            can = "Perhaps the download failed; download it again"
        return Recognition("other", "an XML document", can, "markup")
    is_page = name.rstrip("'\"").lower().endswith(PAGE_ENDINGS)
    # Some programs write a heading above their table, and nothing around both.
    has_table = is_page and start.startswith("<") and b"<table" in head.lower()
    if has_table or start.startswith(
        ("<!doctype html", "<html", "<?xml", "<table", "<head", "<body")
    ):
        can = "Perhaps the download failed; download it again"
        if b"<tr" in head.lower() and is_page:
            can = AS_TABLE.format(file=name).replace("its columns", "its table")
        elif b"<tr" in head.lower():
            can += f"; to read its table, rename {name} to .html"
        return Recognition("other", "a web page (HTML)", can, "web-page")
    return None


_CONTROL = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b\x01\x1e\x1f"})
_MOST_CONTROL = 0.05
_LEAST_CONTROL = 16
_ZEROS = re.compile(rb"\x00{16,}(?=\s|$)|(?<=\n)\x00{16,}")


def _by_control_characters(head: bytes, name: str) -> Recognition | None:
    """Recognise what is no text by its control characters."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return None
    if 0 not in head:
        return None
    if head[257:262] == b"ustar":
        can = f"`tar xf {name}` unpacks it; then name a file"
        return Recognition("packed", "a tar archive", can, "tar")
    if utf16_without_mark(head) or _is_marked_utf16(head):
        return None
    # A file that was not written to its end is filled up with zeros, as is a gap in it.
    text = _ZEROS.sub(b"", head) or head
    controls = len(text) - len(text.translate(None, _CONTROL))
    if 0 not in text or controls < _LEAST_CONTROL or controls <= _MOST_CONTROL * len(text):
        return None
    can = "Save its rows as CSV, JSON lines, Excel or Parquet"
    return Recognition("other", "a binary file, not text", can, "binary")


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


def _is_marked_utf16(head: bytes) -> bool:
    """Whether a file with the mark of UTF-16 is text, perhaps with a few control characters."""
    if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return False
    text = decoded_head(head)
    odd = sum((char < " " and char not in "\t\r\n\f\v\x1b") or char == "\ufffd" for char in text)
    return odd <= _MOST_CONTROL * len(text)


def _is_utf8_with_zeros(head: bytes) -> bool:
    """Whether a text in UTF-8 has zero bytes here and there; UTF-16 is hardly ever UTF-8."""
    if head.count(0) * 4 >= len(head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return True


def utf16_without_mark(head: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: text has no zero bytes in any other encoding."""
    if b"\x00" not in head or len(head) < 4:
        return None
    head = head[: len(head) // 2 * 2]
    if _is_utf8_with_zeros(head):
        return None
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
        odd = sum(
            (char < " " and char not in "\t\r\n\f\v")
            or "\ue000" <= char <= "\uf8ff"
            or char in "\ufffe\uffff"
            for char in text
        )
        # Text that is mostly Latin may have a control character here and there.
        if not odd or (zeros.count(0) * 2 > len(zeros) and odd * 200 <= len(text)):
            return encoding
    return None
