from __future__ import annotations

import gzip
import io
import json
import sqlite3
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import chat, lines, written
from tui.compose.sources.documents import json_rows as objects_module
from tui.compose.sources.open import open_source
from tui.compose.sources.spreadsheets.cell_formats import shown_value
from tui.errors import InputError


def rows_of(spec: object, **options: Any) -> list[dict[str, Any]]:
    return list(open_source(str(spec), **options).rows())


def test_json_lines(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n\n{"b": [2]}\n"text"\n')
    source = open_source(str(path))
    assert source.columns == ("a", "b", "text") and source.kind == "table"
    assert list(source.rows()) == [{"a": 1}, {"b": [2]}, {"text": "text"}]
    with pytest.raises(InputError, match="line 2") as caught:
        rows_of(written(tmp_path, b'{"a": 1}\n{"a":\n'))
    assert caught.value.line == 2
    with pytest.raises(InputError, match="row 1 is neither"):
        rows_of(written(tmp_path, b"[1]\n"))
    with pytest.raises(InputError, match="no rows"):
        rows_of(written(tmp_path, b"\n"))


def test_a_json_array(tmp_path: Path) -> None:
    rows = [{"a": "x" * 70_000, "n": n} for n in range(5)]
    path = written(tmp_path, json.dumps(rows, indent=1).encode(), "t.json")
    assert rows_of(path) == rows
    assert rows_of(written(tmp_path, b'{"a": 1}\n{"a": 2}\n', "u.json")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    "content",
    [b"[]", b"[", b"[1", b'[{"a": 1}', b'[{"a": 1} {"a": 2}]', b"[{]", b"7", b"[" * 50_000],
)
def test_broken_arrays(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError):
        rows_of(written(tmp_path, content, "t.json"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(), VALUES, max_size=3), min_size=1, max_size=6),
    st.sampled_from([None, 0, 2]),
    st.integers(1, 20),
)
def test_arrays_are_read_in_any_window(
    rows: list[dict[str, Any]], indent: int | None, window: int
) -> None:
    usual = objects_module._CHUNK
    objects_module._CHUNK = window
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder, "t.json")
            path.write_text(json.dumps(rows, indent=indent))
            assert rows_of(path) == rows
    finally:
        objects_module._CHUNK = usual


def test_texts(tmp_path: Path) -> None:
    path = written(tmp_path, "one\r\n\r\ntwo a\n  two b\n\n\nthree \u2028 x".encode(), "t.txt")
    assert [row["text"] for row in rows_of(path)] == ["one", "two a", "two b", "three \u2028 x"]
    assert rows_of(f"{path}::paragraphs") == [
        {"text": "one", "number": "1", "name": "t"},
        {"text": "two a\n  two b", "number": "2", "name": "t"},
        {"text": "three \u2028 x", "number": "3", "name": "t"},
    ]
    (whole,) = rows_of(f"{path}::whole")
    assert whole["text"].startswith("one\n\ntwo a")
    with pytest.raises(InputError, match="cannot be split by 'pages'"):
        rows_of(f"{path}::pages")


def test_folders_and_patterns(tmp_path: Path) -> None:
    written(tmp_path, b"second", "b.md")
    written(tmp_path, "fürst".encode("latin-1"), "a.txt")
    written(tmp_path, b"hidden", ".x")
    written(tmp_path, b"\x89PNG", "c.png")
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep", b"third", "d.md")
    assert [row["text"] for row in rows_of(tmp_path)] == ["fürst", "second"]
    found = rows_of(tmp_path / "**" / "*.md")
    assert [row["file"] for row in found] == ["b.md", "d.md"]
    with pytest.raises(InputError, match="no file matches"):
        rows_of(tmp_path / "*.rst")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE products (id INTEGER, name TEXT, raw BLOB)")
        connection.executemany(
            "INSERT INTO products VALUES (?, ?, ?)", [(1, "lamp", b"x"), (2, None, b"\xff")]
        )
        connection.execute('CREATE TABLE "odd ""name" (a)')
        connection.execute('INSERT INTO "odd ""name" VALUES (\'v\')')
    connection.close()
    return path


def test_databases(shop: Path) -> None:
    source = open_source(f"{shop}::products")
    assert source.count == 2 and source.columns == ("id", "name", "raw")
    assert list(source.rows()) == [
        {"id": 1, "name": "lamp", "raw": "x"},
        {"id": 2, "name": None, "raw": "/w=="},
    ]
    assert rows_of(f"{shop}::SELECT upper(name) AS n FROM products WHERE id = 1") == [{"n": "LAMP"}]
    assert rows_of(f"{shop}::with t as (select 1 as one) select * from t") == [{"one": 1}]
    assert rows_of(f'{shop}::odd "name') == [{"a": "v"}]


@pytest.mark.parametrize(
    "what",
    ["", "nothing", "SELECT * FROM nothing", "DELETE FROM products", "select load_extension('x')",
     "WITH t AS (SELECT 1) DELETE FROM products", "SELECT 1; DROP TABLE products",
     "ATTACH 'other.db' AS o", "PRAGMA journal_mode = WAL"],
)  # fmt: skip
def test_databases_are_only_read(shop: Path, what: str) -> None:
    before = shop.read_bytes()
    with pytest.raises(InputError) as caught:
        rows_of(f"{shop}::{what}")
    assert caught.value.hint
    assert shop.read_bytes() == before
    assert sorted(path.name for path in shop.parent.iterdir()) == ["shop.db"]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a database"):
        rows_of(f"{written(tmp_path, b'no database here', 'x.db')}::t")
    with pytest.raises(InputError, match="does not exist"):
        rows_of(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


BUILDER = """
import helper
def requests():
    for n in range(3):
        yield {"n": n, "text": helper.NAME}
"""


def test_builders_run_only_when_trusted(tmp_path: Path) -> None:
    path = written(tmp_path, BUILDER.encode(), "builder.py")
    written(tmp_path, b"NAME = 'x'\n", "helper.py")
    before = list(sys.path)
    with pytest.raises(InputError, match="was not run"):
        open_source(str(path))
    try:
        source = open_source(str(path), trusted=True)
        assert source.columns == ("n", "text") and source.kind == "table"
        assert [row["n"] for row in source.rows()] == [0, 1, 2]
        assert [row["n"] for row in source.rows()] == [0, 1, 2]
        assert sys.path == before
    finally:
        sys.modules.pop("helper", None)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def requests(:", "line 1 of 'b.py': SyntaxError"),
        ("x = 1", "no function requests()"),
        ("def build():\n    yield {}\n    raise KeyError('k')", "line 3 of 'b.py': KeyError"),
        ("import sys\nsys.exit(3)", "SystemExit"),
        ("def build():\n    return []", "has no rows"),
        ("def build():\n    return 5", "TypeError"),
        ("def build():\n    yield 5", "row 1 is neither"),
    ],
)
def test_faults_of_builders(tmp_path: Path, code: str, said: str) -> None:
    path = written(tmp_path, code.encode(), "b.py")
    with pytest.raises(InputError) as caught:
        rows_of(path, trusted=True)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("content", "kind", "count"),
    [
        (b"a,b\n1,2\n", "table", 1),
        (b'{"a": 1}\n', "table", 1),
        (b'[{"a": 1}, {"a": 2}]', "table", 2),
        (b"one line\nanother\n", "text", 2),
        (lines(chat("a"), chat("b")), "requests", 2),
    ],
)
def test_standard_input_by_its_content(content: bytes, kind: str, count: int) -> None:
    source = open_source("-", stdin=io.BytesIO(content))
    assert (source.kind, source.name) == (kind, "standard input")
    assert len(list(source.rows())) == count
    assert len(list(source.rows())) == count


def test_ready_made_requests_are_recognised(tmp_path: Path) -> None:
    for row in (
        chat("a"),
        {"custom_id": "a", "params": {"model": "c"}},
        {"custom_id": "a", "model": "summarize", "text": "long"},
    ):
        assert open_source(str(written(tmp_path, lines(row)))).kind == "requests"
    mixed = written(tmp_path, lines(chat("a"), {"custom_id": "b", "text": "x"}))
    assert open_source(str(mixed)).kind == "table"


def test_missing_sources(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.json", "a.txt", "a.db", "a.py", "a", "a.unknown"):
        with pytest.raises(InputError) as caught:
            open_source(str(tmp_path / name), trusted=True)
        assert "does not exist" in caught.value.message


@pytest.mark.parametrize("name", ["t.parquet", "t.xlsx"])
def test_without_the_extra_it_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("polars", "openpyxl"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match="needs the extra 'tables'") as caught:
        open_source(str(written(tmp_path, b"x", name)))
    assert "batchdeck[tables]" in caught.value.hint


def test_parquet(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    path = tmp_path / "t.parquet"
    polars.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]}).write_parquet(path)
    source = open_source(str(path))
    assert (source.columns, source.count) == (("a", "b"), 3)
    assert list(source.rows())[1] == {"a": 2, "b": None}
    with pytest.raises(InputError, match="cannot be read"):
        open_source(str(written(tmp_path, b"no parquet", "u.parquet")))


def test_excel(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    path = tmp_path / "t.xlsx"
    write_xlsx(path, [["name", "text"], ["a", "x"], ["b", "y"]])
    assert rows_of(path) == [{"name": "a", "text": "x"}, {"name": "b", "text": "y"}]
    assert rows_of(f"{path}::Sheet1")[1] == {"name": "b", "text": "y"}
    with pytest.raises(InputError, match="has no sheet 'None'"):
        rows_of(f"{path}::None")


def test_cells_of_a_spreadsheet_are_given_as_the_sheet_shows_them(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Sales of the spring"])
    sheet.append([])
    sheet.append(["id", "score", "when", "zip", "share"])
    for number in range(120):
        sheet.append([number, number * 1.0, date(2024, 3, 5), 1234, 0.25])
    sheet.append([120, "not given", "in May", "n/a", None])
    sheet.append([121, 4.5, datetime(2024, 3, 5, 14, 30), True, 0.1 + 0.2])
    for (cell,) in sheet["D4:D123"]:
        cell.number_format = "00000"
    for (cell,) in sheet["E4:E123"]:
        cell.number_format = "0%"
    path = tmp_path / "t.xlsx"
    book.save(path)
    source = open_source(str(path))
    rows = list(source.rows())
    assert source.columns == ("id", "score", "when", "zip", "share")
    assert source.count == len(rows) == 122
    assert list(rows[0].values()) == [0, 0, "2024-03-05", "01234", "25%"]
    assert list(rows[120].values()) == [120, "not given", "in May", "n/a", None]
    assert list(rows[121].values()) == [121, 4.5, "2024-03-05 14:30:00", "TRUE", 0.3]
    assert source.doubts == ("1 line above the table skipped",)


def test_of_several_sheets_one_must_be_named(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["name"])
    book.active.append(["Anna"])
    book.create_sheet("Empty")
    book.create_sheet("Towns").append(["town"])
    path = tmp_path / "t.xlsx"
    book.save(path)
    with pytest.raises(InputError, match="2 sheets with rows: 'Sheet', 'Towns'") as caught:
        open_source(str(path))
    assert "t.xlsx::Sheet" in caught.value.hint
    del book["Towns"]
    book.save(path)
    assert rows_of(path) == [{"name": "Anna"}]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (1234.5, "#,##0.00", "1,234.50"),
        (-5, '0.0"°C"', "-5.0°C"),
        (-5, "0;(0)", "(5)"),
        (0.1234, "0.0%", "12.3%"),
        (2.5, "0", "3"),
        (12, '"No. "0', "No. 12"),
        (1e6, "0.0,,", "1.0"),
        (3.0, "General", 3),
        (date(2024, 3, 5), "dd/mm/yyyy", "05/03/2024"),
        (datetime(2024, 3, 5, 9, 7), "d mmm yyyy h:mm AM/PM", "5 Mar 2024 9:07 AM"),
        (date(2024, 3, 5), "mm-dd-yy", "2024-03-05"),
        (time(9, 7), "hh:mm", "09:07"),
        (timedelta(hours=30, minutes=5), "[h]:mm", "30:05:00"),
    ],
)
def test_number_formats(value: object, code: str, shown: object) -> None:
    assert shown_value(value, code) == shown


def test_json_documents(tmp_path: Path) -> None:
    at = written(tmp_path, b'{"meta": {"n": 2}, "data": [{"q": "a"}, null, {"q": NaN}]}', "a.json")
    source = open_source(str(at))
    assert list(source.rows()) == [{"q": "a"}, {"q": "NaN"}]
    assert source.late_doubts() == ("1 null row skipped",)
    assert source.notes == ("the rows at 'data'",)
    by_id = written(tmp_path, b'{"r1": {"q": "a"},\n "r2": {"q": "b"}}', "b.json")
    assert rows_of(by_id) == [{"key": "r1", "q": "a"}, {"key": "r2", "q": "b"}]
    two = written(tmp_path, b'{"a": {"b": [{"q": 1}]}, "c": [{"q": 2}, {"q": 3}]}', "c.json")
    with pytest.raises(InputError, match=r"'c' \(2\), 'a.b' \(1\)"):
        open_source(str(two))
    assert rows_of(f"{two}::a.b") == [{"q": 1}]
    pretty = written(tmp_path, b'{\n "q": 1\n}\n{\n "q": 2\n}\n', "d.jsonl")
    assert rows_of(pretty) == [{"q": 1}, {"q": 2}]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_json_lines_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    text = '{"q": "blå"}\r\n{"q": "grün", "n": Infinity}\r\n'
    path = written(tmp_path, text.encode(encoding), "a.jsonl")
    assert rows_of(path) == [{"q": "blå"}, {"q": "grün", "n": "Infinity"}]


def test_packed_files_and_pointers(tmp_path: Path) -> None:
    packed = written(tmp_path, gzip.compress(b"a,b\n1,2\n"), "t.csv.gz")
    assert rows_of(packed) == [{"a": "1", "b": "2"}]
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    with pytest.raises(InputError, match="Git LFS pointer") as caught:
        open_source(str(written(tmp_path, pointer, "t.csv")))
    assert "git lfs pull" in caught.value.hint


def write_xlsx(path: Path, table: list[list[str]]) -> None:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{c}</t></is></c>' for c in row) + "</row>"
        for row in table
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName='
            f'"/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/><Override PartName='
            f'"/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
            f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Sheet1" '
            'sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
        )
