"""Files as other programs write them: no cell is lost, and what is doubtful is said."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.compose.rows import written
from tests.compose.sources.test_kinds import opened, rows, zipped
from tui.compose.requests.recognition import recognize
from tui.compose.sources.base import no_rows
from tui.compose.sources.open import open_source
from tui.compose.sources.spreadsheets.cell_formats import shown_value
from tui.errors import InputError

TABLE = "id,text,n\n" + "".join(f"{n},some text {n},{n}\n" for n in range(1, 6))


@pytest.mark.parametrize(
    ("content", "columns", "count"),
    [
        (",text\n0,x y\n1,z\n", ("column_1", "text"), 2),
        (",0\n0,x\n1,z\n", ("column_1", "0"), 2),
        (",0,1\n0,1,2\n1,3,4\n", ("column_1", "0", "1"), 2),
        (",0,1\nid,7,8\ntext,a,b\n", ("column_1", "0", "1"), 2),
        ("\ufeff" + TABLE + "\ufeff" + TABLE, ("id", "text", "n"), 11),
    ],
)
def test_the_header_of_a_table_with_row_names_is_kept(
    tmp_path: Path, content: str, columns: tuple[str, ...], count: int
) -> None:
    source = opened(tmp_path, "t.csv", content)
    assert (source.columns, len(rows(source))) == (columns, count)


def test_a_title_in_the_middle_of_a_sheet_is_still_a_title(tmp_path: Path) -> None:
    source = opened(tmp_path, "t.csv", ",Report\nid,text\na,hello\nb,there\n")
    assert source.columns == ("id", "text")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TABLE + ",,\n , , \n", "2 rows without any text (first: line 7)"),
        (TABLE * 2, "1 row with the header again, read as a row (first: line 7)"),
        ("id,a,b\n,kg,cm\n1,2,3\n2,3,4\n", "the row below the header may be a second header"),
        ("Q1,Q2\nHow old are you?,Where?\n3,Rome\n4,Bonn\n", "the row below the header may be"),
    ],
)
def test_rows_that_are_no_data_are_said(tmp_path: Path, content: str, said: str) -> None:
    source = opened(tmp_path, "t.csv", content)
    assert any(said in doubt for doubt in source.doubts)


def test_rows_that_are_no_data_are_found_in_a_long_table(tmp_path: Path) -> None:
    body = "".join(f"{n},text {n}\n" for n in range(50_000))
    source = opened(tmp_path, "t.csv", f"id,text\n{body},\nid,text\n{body}")
    assert source.doubts == (
        "1 row without any text (first: line 50002)",
        "1 row with the header again, read as a row (first: line 50003)",
    )


@pytest.mark.parametrize("quoting", [csv.QUOTE_NONE, csv.QUOTE_MINIMAL])
def test_backslashes_that_escape_and_those_that_do_not(tmp_path: Path, quoting: Any) -> None:
    table = [["id", "text"], ["1", 'a, "b"'], ["2", "x\ny"], ["3", r"C:\new"], ["4", "plain"]]
    out = io.StringIO()
    csv.writer(out, quoting=quoting, escapechar="\\", doublequote=False).writerows(table)
    content = out.getvalue().replace(r"C:\\new", r"C:\new") + "5,\\N\r\n"
    source = opened(tmp_path, "t.csv", content)
    found = [list(row.values()) for row in source.rows()]
    assert [cells[1].replace("\r", "") for cells in found] == [
        'a, "b"', "x\ny", r"C:\new", "plain", r"\N",
    ]  # fmt: skip
    assert any("backslash" in doubt for doubt in source.doubts)


def test_only_the_texts_of_a_folder_are_documents(tmp_path: Path) -> None:
    written(tmp_path, b"hello", "a.txt")
    written(tmp_path, "na\xefve – 3 €".encode("cp1252"), "b.txt")
    written(tmp_path, b"PAR1\x15\x04", "c.parquet")
    written(tmp_path, bytes(range(256)) * 10, "d.mp3")
    (tmp_path / "deep").mkdir()
    source = open_source(str(tmp_path))
    assert [row["file"] for row in source.rows()] == ["a.txt", "b.txt"]
    assert source.count == 2
    said = " ".join((*source.doubts, *source.late_doubts()))
    for words in (
        "'c.parquet' (a Parquet table)",
        "'d.mp3'",
        "1 folder inside",
        "'b.txt': not UTF-8",
    ):
        assert words in said


def test_a_folder_without_texts_is_refused(tmp_path: Path) -> None:
    written(tmp_path, b"", "_SUCCESS")
    written(tmp_path, b"PAR1\x15\x04", "part-0.parquet")
    with pytest.raises(InputError, match="a Parquet table") as caught:
        open_source(str(tmp_path))
    assert "part-0.parquet" in caught.value.hint


def test_tables_of_a_folder_are_said_to_be_documents(tmp_path: Path) -> None:
    written(tmp_path, b"id,text\n1,a\n", "part-0.csv")
    assert "1 table read as one document each" in open_source(str(tmp_path)).doubts[0]


@pytest.mark.parametrize("name", ["t.xls", "t.ods", "t.csv", "t.bin", "t"])
def test_a_workbook_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    book.active.append(["id", "zip"])
    book.active.append(["a", 123])
    book.active["B2"].number_format = "00000"
    book.save(tmp_path / name)
    assert rows(open_source(str(tmp_path / name))) == [{"id": "a", "zip": "00123"}]


def test_line_ends_that_excel_escapes(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    book.active.append(["id", "text"])
    book.active.append(["a", "one_x000D_\ntwo"])
    book.save(tmp_path / "t.xlsx")
    assert rows(open_source(str(tmp_path / "t.xlsx")))[0]["text"] == "one\r\ntwo"


@pytest.mark.parametrize(
    ("table", "columns", "said"),
    [
        ([[None, "text"], [0, "a"], [1, "b"], [2, "c"]], ("column_1", "text"), "without a name"),
        (
            [["id", "n"], ["a", 1], ["b", 2], ["c", 3], [], ["Total", 6]],
            ("id", "n"),
            "1 row after an empty row (row 5) may be another table or a footer",
        ),
    ],
)
def test_sheets(
    tmp_path: Path, table: list[list[Any]], columns: tuple[str, ...], said: str
) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    for cells in table:
        book.active.append(cells)
    book.save(tmp_path / "t.xlsx")
    source = open_source(str(tmp_path / "t.xlsx"))
    assert source.columns == columns
    assert any(said in doubt for doubt in source.doubts)


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (50, '[>100]"high";[<=100]"low"', 50),
        (datetime(2026, 1, 2), '[$-411]ggge"年"m"月"d"日"', "2026-01-02"),
        (datetime(2026, 1, 2), 'yyyy"年"m"月"d"日"', "2026年1月2日"),
    ],
)
def test_formats_that_are_not_followed_give_the_value(
    value: object, code: str, shown: object
) -> None:
    assert shown_value(value, code) == shown


ODS = """<?xml version="1.0"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0">
<office:automatic-styles><style:style style:name="ta2"><style:table-properties
 table:display="false"/></style:style></office:automatic-styles>
<office:body><office:spreadsheet>
<table:table table:name="Data">
<table:table-row>{names}</table:table-row>
<table:table-row><table:table-cell table:number-rows-spanned="2"><text:p>a</text:p>
 </table:table-cell><table:table-cell office:value-type="percentage" office:value="0.125">
 <text:p>12,5 %</text:p></table:table-cell><table:table-cell office:value-type="date"
 office:date-value="2026-01-02"><text:p>02.01.26</text:p></table:table-cell>
 <table:table-cell><office:annotation><text:p>a note</text:p></office:annotation>
 <text:p>one<text:s text:c="2"/>two</text:p><text:p>three</text:p></table:table-cell>
 </table:table-row>
<table:table-row table:visibility="collapse" table:number-rows-repeated="2">
 <table:covered-table-cell/>
 <table:table-cell office:value-type="float" office:value="3"><text:p>3</text:p>
 </table:table-cell><table:table-cell table:formula="of:=1/0"><text:p>#DIV/0!</text:p>
 </table:table-cell><table:table-cell table:formula="of:=A1"/></table:table-row>
<table:table-row table:number-rows-repeated="1048000"><table:table-cell
 table:number-columns-repeated="16384"/></table:table-row>
</table:table>
<table:table table:name="Notes" table:style-name="ta2"><table:table-row><table:table-cell>
 <text:p>x</text:p></table:table-cell></table:table-row></table:table>
</office:spreadsheet></office:body></office:document-content>"""


def test_an_opendocument_sheet_is_given_as_it_is_shown(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    names = "".join(
        f"<table:table-cell><text:p>{name}</text:p></table:table-cell>"
        for name in ("id", "share", "when", "text")
    )
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", ODS.format(names=names))
    source = open_source(str(tmp_path / "t.ods"))
    assert [list(row.values()) for row in source.rows()] == [
        ["a", "12,5 %", "2026-01-02", "one  two\nthree"],
        ["a", 3, "#DIV/0!", None],
        [None, 3, "#DIV/0!", None],
    ]
    said = " ".join(source.doubts)
    for words in ("A2:A3", "2 hidden rows", "2 cells with an error", "D3, D4", "'Notes'"):
        assert words in said


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.zip"])
def test_faults_of_a_packed_file_name_it(tmp_path: Path, name: str) -> None:
    content = b'{"a":1}\n{"a":'
    data = gzip.compress(content) if name.endswith("gz") else zipped(t__jsonl=content)
    with pytest.raises(InputError, match=r"line 2 of 't\.") as caught:
        rows(open_source(str(written(tmp_path, data, name))))
    assert "batchdeck-" not in f"{caught.value} {caught.value.hint}"


def test_faults_of_standard_input_do_not_name_a_file() -> None:
    with pytest.raises(InputError, match="line 2 of '-'"):
        rows(open_source("-", stdin=io.BytesIO(b'{"a":1}\n{"a":')))


def test_an_archive_in_a_gzip_file_is_named(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("t.csv"))
    path = written(tmp_path, gzip.compress(out.getvalue()), "t.csv.tar.gz")
    with pytest.raises(InputError, match=r"'t\.csv\.tar\.gz' is a tar archive"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["t.html", "t.xls"])
def test_a_page_with_a_table_is_said_to_be_readable(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, b"<table><tr><th>a</th></tr><tr><td>1</td></tr></table>", name)
    assert "compose" in recognize(path).can
    assert "rename" not in recognize(path).can


def test_a_table_with_one_line_says_how_it_is_a_row(tmp_path: Path) -> None:
    assert "--no-header" in no_rows(opened(tmp_path, "t.csv", "hello there\n")).hint


@pytest.mark.parametrize("form", ["parquet", "arrow", "stream"])
@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t"])
def test_columnar_files_are_known_by_their_content(tmp_path: Path, form: str, name: str) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {"id": ["007", "x"], "turns": [[{"role": "user"}], []], "share": [0.1, None]},
        schema_overrides={"share": polars.Float32},
    )
    write = {
        "parquet": frame.write_parquet,
        "arrow": frame.write_ipc,
        "stream": frame.write_ipc_stream,
    }
    write[form](tmp_path / name)
    source = open_source(str(tmp_path / name))
    assert (source.count, rows(source)) == (
        2,
        [
            {"id": "007", "turns": [{"role": "user"}], "share": 0.1},
            {"id": "x", "turns": [], "share": None},
        ],
    )


@pytest.mark.parametrize("start", [b"FEA1", b"\x89HDF\r\n", b"Obj\x01", b"$FL2@(#)"])
def test_tables_that_cannot_be_read_are_named(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(InputError, match=r"'t' is (a|an) ") as caught:
        open_source(str(written(tmp_path, start + bytes(40), "t")))
    assert "CSV" in caught.value.hint or "JSON lines" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        "| id | text |\n|---:|:-----|\n| 1 | a \\| b |\n| 2 |  |\n",
        "id | text\n---|---\n1 | a \\| b\n2 | \n",
        "+----+--------+\n| id | text   |\n+----+--------+\n|  1 | a \\| b |\n|  2 |        |\n"
        "+----+--------+\n2 rows in set (0.00 sec)\n",
        " id |  text  \n----+--------\n  1 | a \\| b\n  2 | \n(2 rows)\n\n",
    ],
)
@pytest.mark.parametrize("name", ["t.md", "t.txt", "t.csv", "t"])
def test_printed_tables(tmp_path: Path, content: str, name: str) -> None:
    source = opened(tmp_path, name, content)
    assert rows(source) == [{"id": "1", "text": "a | b"}, {"id": "2", "text": ""}]
    assert "a printed table with bars" in source.notes


@pytest.mark.parametrize(
    "content",
    [
        "# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        "| a | b |\n|---|---|\n| 1 | 2 | 3 |\n",
        "- one\n- two | three\n--\n",
        "---\ntitle: x | y\n---\ntext | more\n",
    ],
)
def test_texts_with_bars_are_texts(tmp_path: Path, content: str) -> None:
    assert opened(tmp_path, "t.md", content).kind == "text"


def test_the_lines_of_a_printed_table(tmp_path: Path) -> None:
    path = written(tmp_path, b"| a | b |\n|---|---|\n| 1 | 2 |\n", "t.md")
    assert len(rows(open_source(f"{path}::lines"))) == 3


def test_times_keep_their_nanoseconds(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    kind = polars.Datetime("ns")
    frame = polars.DataFrame(
        {"a": [1_234_567_891, None], "b": [1_234_567_000, None]}, schema={"a": kind, "b": kind}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    first, second = rows(open_source(str(tmp_path / "t.parquet")))
    assert first["a"] == "1970-01-01 00:00:01.234567891"
    assert str(first["b"]) == "1970-01-01 00:00:01.234567"
    assert second == {"a": None, "b": None}


@pytest.mark.parametrize(
    "content", ["https://a.org/x,y\nhttps://b.org/z,w\n", "a@b.org,Ann\nc@d.org,Bob\n"]
)
def test_addresses_are_no_header(tmp_path: Path, content: str) -> None:
    assert len(rows(opened(tmp_path, "t.csv", content))) == 2
    assert opened(tmp_path, "u.csv", f"url,name\n{content}").columns == ("url", "name")


def test_lines_with_a_name_and_a_value_above_a_table(tmp_path: Path) -> None:
    content = "Report;;\nVon;01.01.2026;\n;;\nid;text;n\n1;a;2\n2;b;3\n3;c;4\n4;d;4\n"
    source = opened(tmp_path, "t.csv", content)
    assert (source.columns, len(rows(source))) == (("id", "text", "n"), 4)
    assert "3 lines above the table skipped" in source.doubts


@pytest.mark.parametrize("content", ["[a]\nx=1\n", "[2026-01-01 10:00:00] INFO started\n"])
def test_a_bracket_does_not_make_an_array(tmp_path: Path, content: str) -> None:
    source = opened(tmp_path, "t.log", content)
    assert rows(source)[0]["text"] == content.split("\n")[0]
