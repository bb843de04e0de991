"""Files as programs write them, in a few bytes of each: read whole, or named with what to do."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

import pytest

from tests.compose.sources.test_kinds import opened, rows
from tui.compose.sources.open import open_source
from tui.compose.sources.spreadsheets.cell_formats import shown_text, shown_value
from tui.errors import InputError

DBASE = (
    b"\x03\x18\x02\x1d\x01\x00\x00\x00\x61\x00\x07\x00" + bytes(20)
    + b"id" + bytes(9) + b"C" + bytes(4) + b"\x03" + bytes(15)
    + b"text" + bytes(7) + b"C" + bytes(4) + b"\x03" + bytes(15) + b"\r  1abc\x1a"
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.orc", b"ORC\n\x06\x12\x04\x08RP\x00\n\x14\n\x02\x00\x00\x12", "an ORC table"),
        ("t.orc", b"ORC\x08\x96\x05\x10\x00\x18", "an ORC table"),
        ("t.pkl", b"ccopy_reg\n_reconstructor\np0\n(cpandas\nDataFrame\np1\n", "a pickle"),
        ("t.pkl", b"ccopy_reg\n_reconstructor\nq\x00(cpandas\nDataFrame\nq\x01", "a pickle"),
        ("t.p", b"(lp0\nS'text'\np1\naI1\na.", "a pickle of Python"),
        ("t.RData", b"RDA3\nA\n3\n262658\n197888\n5\nUTF-8\n", "a data set of R"),
        ("t.rds", b"A\n3\n262658\n197888\n5\nUTF-8\n787\n", "a data set of R"),
        ("t.dat", b"PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03", "PostgreSQL"),
        ("t.dump", b"PGDMP\x01\x0e\x00\x04\x08\x01\x01\x01\x00\x00", "a dump of PostgreSQL"),
        ("t.sql", b"--\n-- PostgreSQL database dump\n--\n\nSET x = 0;\n", "a dump of a database"),
        ("t.sql", b"-- MySQL dump 10.13\nCREATE TABLE x (id int);\n", "a dump of a database"),
        ("t.sql", b"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n", "a dump"),
        ("t.sql", b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE", "a dump of a database"),
        ("t.slk", b"ID;PCALCOOO32\r\nC;X1;Y1;K\"id\"\r\nC;X2;Y1;K\"text\"\r\n", "SYLK"),
        ("t.dif", b'TABLE\r\n0,1\r\n"Sheet1"\r\nVECTORS\r\n0,3\r\n""\r\n', "DIF"),
        ("t.dbf", DBASE, "a dBASE table"),
        ("t.txt", b"id\x1ftext\x1e1\x1fa\nb\x1e2\x1fc\x1e", "ASCII separators"),
        ("t.json", b"\x1b[1;39m[\n  \x1b[1;39m{\n    \x1b[0m\x1b[34;1m\"id\"", "the colours"),
        ("t.xml", b'<?xml version="1.0"?>\n<resultset statement="select 1"><row>', "an XML"),
        ("t.gnumeric", b'<?xml version="1.0"?>\n<gnm:Workbook xmlns:gnm="x">', "of Gnumeric"),
        ("t.xml", b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:'
         b'spreadsheet">', "an XML spreadsheet of Excel 2003"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        opened(tmp_path, name, content)
    assert caught.value.hint
    assert "download" not in caught.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b"ID;Price;Name\nA;1;x\nB;2;y\n"),
        ("t.csv", b"ID;Part\nC;X12\nF;3\n"),
        ("t.csv", b"ORC,text\n1,a\n2,b\n"),
        ("t.txt", b"cat\ndog\nbird\n"),
        ("t.txt", b"collections\nOrderedDict\npicture\n"),
        ("t.txt", b"A\n3\nsome\n"),
        ("t.txt", b"TABLE\n0,1\nfoo\n"),
        ("t.sql", b"-- all orders\nSELECT 1;\n"),
    ],
)
def test_texts_that_begin_alike_are_read(tmp_path: Path, name: str, content: bytes) -> None:
    assert rows(opened(tmp_path, name, content))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_with_a_control_character_is_text(tmp_path: Path, encoding: str) -> None:
    """As pandas and LibreOffice write a table in which one cell has such a character."""
    table = "id,text\n" + "".join(f"{n},word {n}\n" for n in range(90)) + "90,\x1b[31mred\x01\n"
    source = opened(tmp_path, "t.csv", table.encode(encoding))
    assert rows(source)[-1] == {"id": "90", "text": "\x1b[31mred\x01"}


SHEETJS = {
    "xl/_rels/workbook.bin.rels": (
        b'<?xml version="1.0"?>\n<Relationships xmlns="http://schemas.openxmlformats.org/package/'
        b'2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/'
        b'officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.bin"/>'
        b"</Relationships>"
    ),
    "xl/workbook.bin": base64.b64decode(
        "gwEAgAFOAAAAAAAAAAAAAAAAAAAAAAcAAABTAGgAZQBlAHQASgBTAAYAAAAwAC4AMQA4AC4ANQAGAAAAMAAu"
        "ADEAOAAuADUABAAAADcAMgA2ADIAmQEkAAAAAAAAAAAMAAAAVABoAGkAcwBXAG8AcgBrAGIAbwBvAGsAjwEA"
        "nAEaAAAAAAEAAAAEAAAAcgBJAGQAMQABAAAAUwCQAQCEAQA="
    ),
    "xl/worksheets/sheet1.bin": base64.b64decode(
        "gQEAlAEQAAAAAAMAAAAAAAAAAwAAAIUBAIkBHpwDAAAAAAAAAAAAAAAAAAAAAGQAAAAAAAAAAAAAAIoBAIYB"
        "AJEBAAAZAAAAAAAAAABAAQAAAAEAAAAAAAAAAwAAAAYQAAAAAAAAAAACAAAAaQBkABEQAAAAAAQAAAB0AGUA"
        "eAB0ABEKAAAAAAEAAABuABEQAAAAAAQAAABzAHUAcgBlAAAZAQAAAAAAAABAAQAAAAEAAAAAAAAAAwAAAAIM"
        "AAAAAAAAAAAGAAAAERIAAAAABQAAAGYAaQByAHMAdAAQDAAAAAAAAAAAAADgPw8FAAAAAAEAGQIAAAAAAAAA"
        "QAEAAAABAAAAAAAAAAMAAAACDAAAAAAAAAAACgAAABEIAAAAAAAAAAANCAAAAAD2////DwUAAAAAAAAZAwAA"
        "AAAAAABAAQAAAAEAAAAAAAAAAwAAAAIMAAAAAAAAAAAOAAAAERIAAAAABQAAAHQAaABpAHIAZAAQDAAAAAAA"
        "AABVNG+dQQ4IAAAAACoAAACSAQCIBQCJBRgEAAAAAQAAAAAAAAADAAAAAAAAAAMAAACKBQCCAQA="
    ),
}


def test_a_binary_workbook_of_sheetjs_has_all_cells(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in SHEETJS.items():
            archive.writestr(name, content)
    source = opened(tmp_path, "t.xlsb", buffer.getvalue())
    assert rows(source) == [
        {"id": 1, "text": "first", "n": 0.5, "sure": "TRUE"},
        {"id": 2, "text": None, "n": -3, "sure": "FALSE"},
        {"id": 3, "text": "third", "n": 123456789.25, "sure": "#N/A"},
    ]


ESCAPED = 'id\ttext\n1\ta "b"\n2\t"\n3\ttwo\\nlines\n4\ta\\tb\n5\tend\\\\\n6\t\\N\n7\tC:\\\\new\n'
DECODED = ['a "b"', '"', "two\nlines", "a\tb", "end\\", "\\N", "C:\\new"]


def test_escapes_of_a_database_are_said_and_decoded_if_asked(tmp_path: Path) -> None:
    """As COPY of PostgreSQL, mysql -B, jq's @tsv and Miller write a tab or a line end in a cell."""
    source = opened(tmp_path, "t.tsv", ESCAPED)
    assert rows(source)[2] == {"id": "3", "text": r"two\nlines"}
    assert any("--quoting escapes" in doubt for doubt in source.doubts)
    decoded = opened(tmp_path, "t.tsv", ESCAPED, quoting="escapes")
    assert [row["text"] for row in rows(decoded)] == DECODED
    assert decoded.count == len(DECODED)
    assert not any("--quoting" in doubt for doubt in decoded.doubts)
    returns = opened(tmp_path, "t.tsv", "id\ttext\n1\ttwo\r\\nlines\n2\tz\n", quoting="escapes")
    assert [row["text"] for row in rows(returns)] == ["two\r\nlines", "z"]


def test_paths_of_windows_are_no_escapes(tmp_path: Path) -> None:
    source = opened(tmp_path, "t.tsv", "id\tpath\n1\tC:\\new\\table\n2\tC:\\data\n")
    assert not any("--quoting" in doubt for doubt in source.doubts)


def test_a_backslash_at_the_end_of_a_cell_escapes_no_tab(tmp_path: Path) -> None:
    """As mysql -B writes a backslash; its carriage returns break a row in two."""
    table = 'id\ttext\tend\n1\t"\tz\n2\t"a\tz\n3\tback\\\\\tz\n4\ttwo\r\\nlines\tz\n5\tlast\tz\n'
    source = opened(tmp_path, "t.tsv", table)
    assert [row["text"] for row in rows(source)][:3] == ['"', '"a', "back\\\\"]


def test_escaped_tabs_and_line_ends_are_part_of_a_cell(tmp_path: Path) -> None:
    """As SELECT … INTO OUTFILE of MySQL writes them."""
    table = '0\tfirst\tz\n1\ta\\\tb\tz\n2\ttwo\\\nlines\tz\n3\t"\tz\n4\tend\\\\\tz\n5\t""\tz\n'
    source = opened(tmp_path, "t.tsv", table, header=False)
    assert [[*row.values()][1] for row in rows(source)] == [
        "first", "a\tb", "two\nlines", '"', "end\\", '""',
    ]  # fmt: skip
    assert any("escapes tabs and line ends" in doubt for doubt in source.doubts)


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("0000-0000", 1234567.891, "0123-4568"),
        ("000-00-0000", 123456789, "123-45-6789"),
        ("00000-0000", -5, "-00000-0005"),
        ("[<=9999999]###-####;(###) ###-####", 5551234, "555-1234"),
        ("[<=9999999]###-####;(###) ###-####", 2065551234, "(206) 555-1234"),
        ("[<1000]0;[>=1000]#,##0", 45351.52, "45,352"),
        ("[>100]0.0", 3.25, 3.25),
        ("# ?/?", 1.5, "1 1/2"),
        ("# ?/?", -0.25, "-1/4"),
        ("# ??/??", 45351.520833333336, "45351 25/48"),
        ("?/?", 1.5, "3/2"),
        ("# ?/8", 0.5, "4/8"),
        ("# ?/?", 3.0, "3"),
        ("0.00E+00", 0.0, "0.00E+00"),
        ('0.0"a/b"', 1.0, "1.0a/b"),
    ],
)
def test_numbers_are_shown_by_their_format(code: str, value: float, shown: object) -> None:
    assert shown_value(value, code) == shown


def test_escaped_escapes_of_a_workbook_are_text() -> None:
    """As XlsxWriter and Gnumeric write a text that looks like an escape."""
    assert shown_text("_x005F_x000D_ a_x000D_\n") == "_x000D_ a\r\n"


def test_formulas_that_were_never_calculated_are_said(tmp_path: Path) -> None:
    """XlsxWriter stores 0 for each formula, and asks Excel to calculate when it opens the file."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["id", "n"], [1, 2], [2, 3], [3, 4]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    parts = {}
    with zipfile.ZipFile(tmp_path / "t.xlsx") as archive:
        for name in archive.namelist():
            parts[name] = archive.read(name).replace(
                b'<c r="B2" t="n"><v>2</v>', b'<c r="B2"><f>A2*2</f><v>0</v>'
            )
    for asked, said in ((b' fullCalcOnLoad="1"', 1), (b"", 0)):
        with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content.replace(b' fullCalcOnLoad="1"', asked))
        source = open_source(str(tmp_path / "t.xlsx"))
        assert rows(source)[0] == {"id": 1, "n": 0}
        assert sum("1 formula perhaps with an old value" in each for each in source.doubts) == said


def test_a_workbook_whose_parts_have_other_names_keeps_its_merged_cells(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["id", "kind"], [1, "old"], [2, None], [3, "new"]):
        book.active.append(row)
    book.active.merge_cells("B2:B3")
    book.save(tmp_path / "usual.xlsx")
    with (
        zipfile.ZipFile(tmp_path / "usual.xlsx") as usual,
        zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive,
    ):
        for name in usual.namelist():
            content = usual.read(name).replace(b"xl/workbook.xml", b"xl/book2.xml")
            archive.writestr(name.replace("workbook.xml", "book2.xml"), content)
    source = open_source(str(tmp_path / "t.xlsx"))
    assert [row["kind"] for row in rows(source)] == ["old", "old", "new"]


FLAT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><office:body>
<office:spreadsheet><table:table table:name="T">
<table:table-row><table:table-cell><text:p>id</text:p></table:table-cell>
<table:table-cell><text:p>left</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell office:value-type="float" office:value="1"><text:p>1</text:p>
</table:table-cell><table:table-cell office:value-type="time" office:time-value="-PT84H00M00S">
<text:p>-84:00</text:p></table:table-cell></table:table-row>
</table:table></office:spreadsheet></office:body></office:document>
"""


@pytest.mark.parametrize("name", ["t.fods", "t.xml"])
def test_a_flat_sheet_of_libreoffice_is_read(tmp_path: Path, name: str) -> None:
    assert rows(opened(tmp_path, name, FLAT)) == [{"id": 1, "left": "-84:00:00"}]


def test_cells_of_a_page_that_span_rows_are_in_each_of_them(tmp_path: Path) -> None:
    """As pandas writes a table with an index of two levels."""
    page = (
        "<table><thead><tr><th>g</th><th>h</th><th>n</th></tr></thead><tbody>"
        '<tr><th rowspan="2" valign="top">a</th><th>x</th><td>1</td></tr>'
        '<tr><th>y</th><td rowspan="2">2</td></tr><tr><th>b</th><th>z</th></tr></tbody></table>'
    )
    source = opened(tmp_path, "t.html", page)
    assert [[*row.values()] for row in rows(source)] == [
        ["a", "x", "1"],
        ["a", "y", "2"],
        ["b", "z", "2"],
    ]
    assert "2 cells over several rows: the text is in each row" in source.doubts


def test_a_break_and_the_line_end_after_it_are_one(tmp_path: Path) -> None:
    """As psql -H and Gnumeric write a line end."""
    page = "<table><tr><td>id</td><td>text</td></tr><tr><td>1</td><td>two<br />\nlines</td></tr>"
    assert rows(opened(tmp_path, "t.html", page)) == [{"id": "1", "text": "two\nlines"}]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("┌────┬───────┐\n│ id │ text  │\n├────┼───────┤\n│ 1  │ a|b   │\n│ 2  │ c     │\n"
         "└────┴───────┘\n", [["1", "a|b"], ["2", "c"]]),
        ("┌───────┬─────────┐\n│  id   │  text   │\n│ int32 │ varchar │\n├───────┼─────────┤\n"
         "│     1 │ a       │\n└───────┴─────────┘\n", [["1", "a"]]),
        ("shape: (2, 2)\n┌─────┬──────┐\n│ id  ┆ text │\n│ --- ┆ ---  │\n│ i64 ┆ str  │\n"
         "╞═════╪══════╡\n│ 1   ┆ a    │\n│ 2   ┆ b    │\n└─────┴──────┘\n",
         [["1", "a"], ["2", "b"]]),
        ("+----+-------+\n| id | text  |\n+----+-------+\n| 1  | two   |\n|    | lines |\n"
         "+----+-------+\n| 2  | b     |\n+----+-------+\n", [["1", "two\nlines"], ["2", "b"]]),
        ("+----+------+\n| id | text |\n+----+------+\n| 1  | a    |\n| 2  | b    |\n"
         "+----+------+\n| 3  | c    |\n+----+------+\n", [["1", "a"], ["2", "b"], ["3", "c"]]),
    ],
    ids=["sqlite3 box", "DuckDB", "polars", "sqlite3 table", "groups of rows"],
)  # fmt: skip
def test_printed_tables(tmp_path: Path, table: str, expected: list[list[str]]) -> None:
    source = opened(tmp_path, "t.txt", table)
    assert source.columns == ("id", "text")
    assert [[*row.values()] for row in rows(source)] == expected
    assert not source.doubts


def test_what_a_printed_table_leaves_out_is_said(tmp_path: Path) -> None:
    head = "| id | text |\n|----|------|\n| 1 | a |\n| … | … |\n"
    table = head + "| 8 | two |\n|   | lines |\n| 9 | c |\n"
    said = opened(tmp_path, "t.md", table).doubts
    assert said[0] == "rows are left out in the file, where … stands (row 2)"
    assert said[1].startswith("1 row with an empty first cell (first: row 4)")


def test_json_that_copy_of_postgresql_wrote_is_explained(tmp_path: Path) -> None:
    lines = '{"id":1,"text":"a"}\n{"id":2,"text":"say \\\\"hi\\\\"\\\\nor so"}\n'
    with pytest.raises(InputError, match="line 2") as caught:
        rows(opened(tmp_path, "t.jsonl", lines))
    assert "COPY of PostgreSQL" in caught.value.hint


def test_a_table_with_quoted_commas_in_a_text_is_said(tmp_path: Path) -> None:
    """As sqlite3, Gnumeric and R write a table to a file whose name ends with .txt."""
    content = 'id,text,end\n1,"a, b",z\n2,"say ""hi""\nto her",z\n3,c,z\n'
    assert any("--delimiter ','" in doubt for doubt in opened(tmp_path, "t.txt", content).doubts)
    said = opened(tmp_path, "u.txt", 'He said, "yes".\nThen, "no", he said.\nAnd so on, he said.\n')
    assert not said.doubts


def test_a_table_below_a_heading_alone_is_a_page(tmp_path: Path) -> None:
    """As VisiData writes it."""
    page = "<h2>t</h2><table><tr><th>id</th><th>x</th></tr>\n<tr><td>1</td><td>a</td></tr></table>"
    assert rows(opened(tmp_path, "t.html", page)) == [{"id": "1", "x": "a"}]
