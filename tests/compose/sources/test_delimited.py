from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import written
from tui.compose.sources.delimited import open_table
from tui.compose.sources.table_format import detect_delimiter
from tui.errors import InputError

SHOP = 'sku;name;price\na1;Tür;1,50\na2;"two\nlines; here";2\n'


def test_a_plain_table(tmp_path: Path) -> None:
    source = open_table(written(tmp_path, b'a,b\r\n1,2\r\n\r\n3,"x,""y"\r\n', "t.csv"))
    assert source.columns == ("a", "b")
    assert list(source.rows()) == [{"a": "1", "b": "2"}, {"a": "3", "b": 'x,"y'}]
    assert list(source.rows()) == list(source.rows())
    assert source.base == tmp_path


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]
)
def test_encodings_are_found_out(tmp_path: Path, encoding: str) -> None:
    source = open_table(written(tmp_path, SHOP.encode(encoding), "t.csv"))
    assert list(source.rows()) == [
        {"sku": "a1", "name": "Tür", "price": "1,50"},
        {"sku": "a2", "name": "two\nlines; here", "price": "2"},
    ]


def test_windows_characters_and_late_bytes(tmp_path: Path) -> None:
    text = "a,b\n" + "x,y\n" * 100_000 + "ü,€\n"
    source = open_table(written(tmp_path, text.encode("cp1252"), "t.csv"))
    assert list(source.rows())[-1] == {"a": "ü", "b": "€"}
    odd = open_table(written(tmp_path, b"a,b\n\x81,\xe9\n", "u.csv"))
    assert list(odd.rows()) == [{"a": "\x81", "b": "é"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(tmp_path: Path, delimiter: str) -> None:
    text = "".join(f"a b{delimiter}c. d{delimiter}e:f\n" for _ in range(5))
    assert detect_delimiter(text, whole=True) == delimiter
    source = open_table(written(tmp_path, text.encode(), "t.txt"), header=False)
    assert source.columns == ("column_1", "column_2", "column_3")
    assert source.count == 5


def test_a_comma_in_the_prose_is_not_the_delimiter(tmp_path: Path) -> None:
    text = "id;text\n1;one, two, three\n2;four\n3;five, six\n"
    assert open_table(written(tmp_path, text.encode(), "t.csv")).columns == ("id", "text")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("id,text\n1,hello\n2,there\n", True),
        ("name\nAnna\n", True),
        ("1,hello\n2,there\n", False),
        ("red,hello\nblue,there\nred,again\n", False),
        (",b\n1,2\n", True),
        ("x,x\n1,2\n", True),
        (",text,label\n0,warm,room\n1,cold,staff\n", True),
        ("country,2019,2020\nNorway,1.5,1.7\nSpain,2.5,2.6\n", True),
        ("2019,2020\ngood,bad\nbad,good\n", True),
        (
            "How would you tell of your visit to us, in your own words, as to a friend?,ok\n"
            "It was fine,yes\nToo loud,no\n",
            True,
        ),
        ("text,label\none,a\ntext,label\ntwo,b\n", True),
    ],
)
def test_a_header_is_recognised(tmp_path: Path, text: str, header: bool) -> None:
    source = open_table(written(tmp_path, text.encode(), "t.csv"))
    assert ("header row" in source.notes) == header
    assert len(list(source.rows())) == text.count("\n") - header


def test_marks_that_quote_nothing_are_text(tmp_path: Path) -> None:
    text = 'id\tlang\ttext\n1\teng\t"No way," she said.\n2\teng\t"Yes.\n3\teng\tWhy?"\n'
    source = open_table(written(tmp_path, text.encode(), "t.tsv"))
    texts = [row["text"] for row in source.rows()]
    assert texts == ['"No way," she said.', '"Yes.', 'Why?"']
    assert any("quotation marks are text" in doubt for doubt in source.doubts)
    # One mark that is never closed, in a table that quotes.
    lines = [f'{n},"one, two ""{n}""",x\n' for n in range(20)]
    lines[7] = '7,"never closed,x\n'
    odd = open_table(written(tmp_path, ("id,text,c\n" + "".join(lines)).encode(), "u.csv"))
    rows = list(odd.rows())
    assert len(rows) == 20
    assert rows[7] == {"id": "7", "text": '"never closed', "c": "x"}
    assert rows[8]["text"] == 'one, two "8"'
    assert any("line 9" in doubt for doubt in odd.doubts)


def test_cells_with_line_endings_stay_cells(tmp_path: Path) -> None:
    text = "id,text\n" + "".join(f'{n},"Hello,\nworld, {n}\n\nbye"\n' for n in range(9))
    source = open_table(written(tmp_path, text.encode(), "t.csv"))
    assert source.count == 9 and not source.doubts
    assert next(source.rows())["text"] == "Hello,\nworld, 0\n\nbye"


def test_one_wrong_byte_is_one_replacement(tmp_path: Path) -> None:
    text = "id,text\n" + "é,ü\n" * 30
    content = text.encode() + b"it\x92s,x\n"
    source = open_table(written(tmp_path, content, "t.csv"))
    rows = list(source.rows())
    assert rows[0] == {"id": "é", "text": "ü"}
    assert rows[-1] == {"id": "it\ufffds", "text": "x"}
    assert source.doubts == ("1 byte not UTF-8, shown as \ufffd: line 32 (byte 0x92)",)


def test_what_stands_around_a_table(tmp_path: Path) -> None:
    declared = open_table(written(tmp_path, b"sep=;\r\na;b\r\n1,5;2\r\n", "a.csv"))
    assert list(declared.rows()) == [{"a": "1,5", "b": "2"}]
    titled = b"Report of 2024\n\na,b,c\n1,2,3\n4,5,6\n7,8,9\n"
    source = open_table(written(tmp_path, titled, "b.csv"))
    assert source.columns == ("a", "b", "c") and source.count == 3
    assert source.doubts == ("2 lines above the table skipped",)
    short = open_table(written(tmp_path, b"a,b\n1,2\n3\n", "c.csv"))
    assert "1 row with fewer cells than 2 (first: line 3)" in short.doubts[0]
    named_rows = open_table(written(tmp_path, b"x y\n".replace(b" ", b",") + b"r1,1,2\nr2,3,4\n"))
    assert next(named_rows.rows()) == {"column_1": "r1", "x": "1", "y": "2"}


def test_a_list_of_texts_is_one_column(tmp_path: Path) -> None:
    text = b"text\nOne, two, three\nFour\nFive, six\nSeven, eight, nine, ten\n"
    source = open_table(written(tmp_path, text, "t.csv"))
    assert [row["text"] for row in source.rows()][3] == "Seven, eight, nine, ten"
    assert "one column" in source.notes


def test_names_are_made_different(tmp_path: Path) -> None:
    source = open_table(written(tmp_path, b" a ,a,,a_2\n1,2,3,4\n", "t.csv"), header=True)
    assert source.columns == ("a", "a_2", "column_3", "a_2_2")


def test_short_rows_are_filled_and_long_ones_refused(tmp_path: Path) -> None:
    source = open_table(written(tmp_path, b"a,b\n1\n1,2,,\n", "t.csv"))
    assert list(source.rows()) == [{"a": "1", "b": ""}, {"a": "1", "b": "2"}]
    bad = open_table(written(tmp_path, b"a,b\n1,2\n1,2,3\n", "u.csv"))
    with pytest.raises(InputError, match=r"row 2 of 'u\.csv' has 3 cells") as caught:
        list(bad.rows())
    assert caught.value.line == 3


def test_faults_are_errors_with_a_hint(tmp_path: Path) -> None:
    for content in (b"", b"\n\n", b"\xef\xbb\xbf"):
        with pytest.raises(InputError, match="is empty"):
            open_table(written(tmp_path, content, "t.csv"))
    with pytest.raises(InputError, match="is not utf-8"):
        open_table(written(tmp_path, b"a\n\xe9\n", "t.csv"), encoding="utf-8")
    with pytest.raises(InputError, match="unknown encoding 'klingon'"):
        open_table(written(tmp_path, b"a\n", "t.csv"), encoding="klingon")
    with pytest.raises(InputError, match="does not exist"):
        open_table(tmp_path / "none.csv")


def test_the_count_is_about_right(tmp_path: Path) -> None:
    plain = b"a,b\n" + b"1,2\n" * 50_000
    assert open_table(written(tmp_path, plain, "t.csv")).count == 50_000
    # The sample ends within a line, which tells nothing of the end of the file.
    uneven = b"a,b\n" + b"1,word\n" * 50_000
    assert open_table(written(tmp_path, uneven, "t.csv")).count == 50_000
    quoted = b"a,b\n" + b'1,"x\ny\nz"\n' * 50_000
    count = open_table(written(tmp_path, quoted, "t.csv")).count
    assert count is not None and abs(count - 50_000) < 500
    assert open_table(written(tmp_path, b"a,b\n1,2", "t.csv")).count == 1
    assert open_table(written(tmp_path, b"a,b\n", "t.csv")).count == 0


def test_a_cell_of_a_megabyte(tmp_path: Path) -> None:
    source = open_table(written(tmp_path, b'a,b\n1,"' + b"x\n" * 500_000 + b'"\n', "t.csv"))
    assert len(next(source.rows())["b"]) == 1_000_000


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6
        )
    ),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_is_written_is_read(table: list[list[str]], delimiter: str, encoding: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(table)
    with TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes(text.getvalue().encode(encoding))
        source = open_table(path, delimiter=delimiter, encoding=encoding, header=False)
        read = [list(row.values()) for row in source.rows()]
        # Cells that look like rows of the table themselves are read otherwise, which is told.
        told = " ".join(source.doubts)
        assert read == table or "stray quotation mark" in told or "marks are text" in told


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes(content)
        try:
            source = open_table(path)
            for row in source.rows():
                assert tuple(row) == source.columns
        except InputError as error:
            assert error.path == path
