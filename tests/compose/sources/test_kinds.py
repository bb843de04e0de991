"""Kinds of files that people have: each is read whole, or refused with what to type."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.compose.rows import written
from tui.compose.sources.base import Source
from tui.compose.sources.open import open_source
from tui.errors import InputError

PLAIN = b"id,text\n1,hello\n2,there\n"
ROWS = [{"id": "1", "text": "hello"}, {"id": "2", "text": "there"}]


def opened(folder: Path, name: str, content: bytes | str, **options: Any) -> Source:
    data = content.encode() if isinstance(content, str) else content
    return open_source(str(written(folder, data, name)), **options)


def rows(source: Source) -> list[dict[str, Any]]:
    return list(source.rows())


SENTENCES = {
    "ru": ["Как вернуть деньги за заказ?", "Доставка опоздала", "Спасибо, всё хорошо"],
    "uk": ["Де моє замовлення?", "Дуже дякую за їжу"],
    "de": ["Wo ist mein Päckchen?", "schöne Grüße", "Größe: 5 m²"],
    "fr": ["Où est ma commande ?", "« très bien »", "C’est l’été, déjà"],
    "es": ["¿Cuándo llega?", "¡Qué bueno, señor!"],
    "pl": ["Gdzie jest moja paczka? Źle", "Dziękuję bardzo, świetnie"],
    "cs": ["Kde je můj balíček", "Děkuji, výborné zboží"],
    "el": ["Πού είναι το δέμα μου;", "Ευχαριστώ πολύ"],
    "tr": ["Teşekkür ederim, iyi günler", "Çok güzel ürün, ışık"],
    "he": ["איפה החבילה שלי", "תודה רבה"],
    "ar": ["أين طلبي؟", "شكرا جزيلا لكم"],
    "th": ["สินค้าของฉันอยู่ที่ไหน", "ขอบคุณมาก"],
    "ja": ["注文した商品はどこですか", "ソースコードは表示されますか"],
    "zh": ["我的包裹在哪里？", "质量很差，要求退款"],
    "tw": ["我的包裹在哪裡？", "非常感謝你們"],
    "ko": ["제 소포는 어디에 있나요", "감사합니다"],
}
PAGES = [
    ("ru", "cp1251"), ("ru", "koi8-r"), ("ru", "cp866"), ("ru", "iso8859-5"),
    ("ru", "mac-cyrillic"),
    ("uk", "cp1251"), ("de", "cp1252"), ("de", "mac-roman"), ("de", "cp850"), ("fr", "cp1252"),
    ("fr", "mac-roman"), ("es", "cp1252"), ("es", "mac-roman"), ("pl", "cp1250"),
    ("pl", "iso8859-2"), ("cs", "cp1250"), ("cs", "iso8859-2"), ("el", "cp1253"), ("tr", "cp1254"),
    ("he", "cp1255"), ("ar", "cp1256"), ("th", "cp874"), ("ja", "cp932"), ("ja", "euc-jp"),
    ("zh", "gb18030"), ("tw", "big5"), ("ko", "cp949"), ("zh", "utf-16-le"), ("ja", "utf-16-be"),
]  # fmt: skip


@pytest.mark.parametrize("language,encoding", PAGES)
def test_a_code_page_is_told_by_what_reads_well(
    tmp_path: Path, language: str, encoding: str
) -> None:
    texts = [text.replace("²", "2") for text in SENTENCES[language]]
    content = "id\ttext\n" + "".join(f"{n}\t{text}\n" for n, text in enumerate(texts))
    source = opened(tmp_path, "t.tsv", content.encode(encoding))
    assert [row["text"] for row in rows(source)] == texts
    if not encoding.startswith("utf"):
        assert "--encoding changes it" in source.doubts[0]


def test_json_lines_in_a_code_page(tmp_path: Path) -> None:
    content = "".join(
        json.dumps({"t": text}, ensure_ascii=False) + "\n" for text in SENTENCES["ja"]
    )
    source = opened(tmp_path, "t.jsonl", content.encode("cp932"))
    assert [row["t"] for row in rows(source)] == SENTENCES["ja"]
    assert "Shift JIS" in source.doubts[0]


def test_utf8_and_windows_mixed_is_utf8_with_the_lines_of_the_others(tmp_path: Path) -> None:
    content = "id,text\n1,Grüße, schöne\n".encode() + "2,Größe\n3,für\n4,Öl\n".encode("cp1252")
    source = opened(tmp_path, "t.csv", content.replace(b"e, s", b"e s"))
    assert rows(source)[0] == {"id": "1", "text": "Grüße schöne"}
    assert "line 3" in source.doubts[0] and "�" in source.doubts[0]


def test_nul_bytes_are_said(tmp_path: Path) -> None:
    source = opened(tmp_path, "t.csv", b"id,text\n1,hel\0lo\n")
    assert rows(source) == [{"id": "1", "text": "hel\0lo"}]
    assert "1 NUL byte (first: line 2)" in source.doubts
    padded = opened(tmp_path, "u.csv", PLAIN + bytes(4096))
    assert rows(padded) == ROWS and "4,096 NUL bytes" in padded.doubts[0]


TABLES: dict[str, tuple[str, list[dict[str, str]], str]] = {
    "decimal commas": (
        "1,5;2,5\n2,5;3,5\n3,5;4,5\n",
        [{"column_1": f"{n},5", "column_2": f"{n + 1},5"} for n in (1, 2, 3)],
        "",
    ),
    "tilde": ("id~text\n1~hello\n2~there\n", ROWS, ""),
    "control character": ("id\x01text\n1\x01hello\n2\x01there\n", ROWS, ""),
    "colon": ("id:text\n1:hello\n2:there\n", ROWS, ""),
    "two marks at the start": ("\ufeff\ufeffid,text\n1,hello\n2,there\n", ROWS, ""),
    "remarks": ("# from a tool\n# version 2\nid,text\n1,hello\n2,there\n", ROWS, "2 lines above"),
    "title and footer": (
        "Sales report\nMay 2024\n\nid,text\n1,hello\n2,there\n3,you\n\nTotal,3\nSource: shop\n",
        [*ROWS, {"id": "3", "text": "you"}, {"id": "Total", "text": "3"},
         {"id": "Source: shop", "text": ""}],
        "may be a footer (line 9)",
    ),
    "spaces before marks": (
        'id, text\n1, "a, b"\n2, "c, d"\n',
        [{"id": "1", "text": "a, b"}, {"id": "2", "text": "c, d"}],
        "--quoting double",
    ),
    "apostrophes": (
        "id,text\n1,'a, b'\n2,'c, d'\n",
        [{"id": "1", "text": "a, b"}, {"id": "2", "text": "c, d"}],
        "--quoting double",
    ),
    "row names of R": (
        '"id","text"\n"1","1","hello"\n"2","2","there"\n',
        [{"column_1": row["id"], **row} for row in ROWS],
        "one name fewer",
    ),
    "doubled and empty names": (
        "id,id,\n1,2,hello\n",
        [{"id": "1", "id_2": "2", "column_3": "hello"}],
        "without a name: 'column_3'",
    ),
    "no header": (
        "What is the capital of France?,Paris\nWhat is the capital of Spain?,Madrid\n"
        "What is the capital of Italy?,Rome\n",
        [{"column_1": f"What is the capital of {land}?", "column_2": city}
         for land, city in (("France", "Paris"), ("Spain", "Madrid"), ("Italy", "Rome"))],
        "(--header)",
    ),
    "perhaps a header": (
        "Paris,France\nMadrid,Spain\nRome,Italy\n",
        [{"Paris": "Madrid", "France": "Spain"}, {"Paris": "Rome", "France": "Italy"}],
        "(--no-header)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path: Path, name: str) -> None:
    content, right, doubt = TABLES[name]
    source = opened(tmp_path, "t.csv", content)
    assert rows(source) == right
    assert doubt in " ".join(source.doubts)


def test_rows_with_too_many_cells(tmp_path: Path) -> None:
    content = "id,text\n1,hello, you\n2,there\n"
    source = opened(tmp_path, "t.csv", content)
    assert "1 row with more cells than 2 (first: line 2)" in source.doubts
    with pytest.raises(InputError, match=r"row 1 of 't\.csv' has 3 cells") as caught:
        rows(source)
    assert "--long-rows join" in caught.value.hint
    joined = opened(tmp_path, "t.csv", content, long_rows="join")
    assert rows(joined) == [{"id": "1", "text": "hello, you"}, {"id": "2", "text": "there"}]
    widened = opened(tmp_path, "t.csv", content, long_rows="widen")
    assert rows(widened)[0] == {"id": "1", "text": "hello", "column_3": " you"}


JSON: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "one after the other": ("t.json", '{"a": 1}{"a": 2}\n{"a": 3}', [{"a": 1}, {"a": 2}, {"a": 3}]),
    "several on a line": ("t.jsonl", '{"a": 1}{"a": 2}\n{"a": 3}\n', [{"a": n} for n in (1, 2, 3)]),
    "a comma after each": ("t.jsonl", '{"a": 1},\n{"a": 2},\n', [{"a": 1}, {"a": 2}]),
    "over several lines": ("t.jsonl", '{\n "a": 1\n}\n{\n "a": 2\n}\n', [{"a": 1}, {"a": 2}]),
    "a list per line": (
        "t.jsonl", '["id", "text"]\n[1, "hello"]\n[2, "there"]\n',
        [{"id": 1, "text": "hello"}, {"id": 2, "text": "there"}],
    ),
    "lists in a list": ("t.json", '[["id", "n"], ["a", 1], ["b", 2]]',
                        [{"id": "a", "n": 1}, {"id": "b", "n": 2}]),
    "a list per column": ("t.json", '{"q": ["a", "b"], "n": [1, 2]}',
                          [{"q": "a", "n": 1}, {"q": "b", "n": 2}]),
    "pandas": ("t.json", '{"q": {"0": "a", "1": "b"}, "n": {"0": 1, "1": null}}',
               [{"q": "a", "n": 1}, {"q": "b", "n": None}]),
    "pandas split": ("t.json", '{"columns": ["q"], "index": [0, 1], "data": [["a"], ["b"]]}',
                     [{"q": "a"}, {"q": "b"}]),
    "pandas table": ("t.json", '{"schema": {"fields": [{"name": "q"}]}, "data": [{"q": "a"}]}',
                     [{"q": "a"}]),
    "in a table": ("t.csv", '{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n',
                   [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
    "in a text": ("t.txt", '{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
    "in no JSON": ("t.jsonl", PLAIN.decode(), ROWS),
}  # fmt: skip


@pytest.mark.parametrize("name", JSON)
def test_json(tmp_path: Path, name: str) -> None:
    file, content, right = JSON[name]
    assert rows(opened(tmp_path, file, content)) == right


def test_nothing_after_an_array_is_lost(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="goes on after its array of 1 element"):
        opened(tmp_path, "t.json", '[{"a": 1}]\n[{"a": 2}, {"a": 3}')


def test_python_rows_that_are_not_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        opened(tmp_path, "t.jsonl", "{'a': b'x'}\n")
    assert "json.dumps" in caught.value.hint


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return made.getvalue()


@pytest.mark.parametrize(
    "name,content",
    [
        ("t.csv.gz", gzip.compress(PLAIN)),
        ("t.csv.bz2", bz2.compress(PLAIN)),
        ("t.csv.xz", lzma.compress(PLAIN)),
        ("t.zip", zipped(t__csv=PLAIN)),
        ("t.csv", zipped(t__csv=PLAIN)),
        ("t.csv", gzip.compress(PLAIN)),
        ("t", gzip.compress(PLAIN)),
    ],
    # The content has the time in it; the processes of a run must agree on the names.
    ids=["gz", "bz2", "xz", "zip", "zip as csv", "gz as csv", "gz without ending"],
)
def test_packed_files_are_read_whatever_their_name(
    tmp_path: Path, name: str, content: bytes
) -> None:
    assert rows(opened(tmp_path, name, content)) == ROWS


def test_an_archive_of_several_files_asks_for_one(tmp_path: Path) -> None:
    path = written(tmp_path, zipped(t__csv=PLAIN, u__csv=b"a,b\n1,2\n"), "t.zip")
    with pytest.raises(InputError, match=r"has 2 files: 't\.csv', 'u\.csv'") as caught:
        open_source(str(path))
    assert "t.zip::t.csv" in caught.value.hint
    source = open_source(f"{path}::u.csv")
    assert rows(source) == [{"a": "1", "b": "2"}] and source.name == f"{path}::u.csv"


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.bz2", "t.csv.xz"])
def test_a_packed_file_that_is_cut_off_is_named(tmp_path: Path, name: str) -> None:
    pack = {"z": gzip.compress, "2": bz2.compress}.get(name[-1], lzma.compress)
    content = (gzip.compress if name.endswith("gz") else pack)(PLAIN * 1000)
    with pytest.raises(InputError, match="cannot be unpacked"):
        opened(tmp_path, name, content[:-20])


PAGE = b"<html><table><tr><th>id<th>text</tr><tr><td>1<td>a &amp; <b>b</b></tr></table></html>"


@pytest.mark.parametrize(
    "name,content,what",
    [
        ("t.csv", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page"),
        ("t.jsonl", PAGE, "a web page"),
        ("t.xls", b"<html><body>Sign in</body></html>", "without a table"),
        ("t.csv", b'<?xml version="1.0"?><Error>Denied</Error>', "an XML document"),
        ("t.csv", b"\x89PNG\r\n\x1a\n", "an image"),
        ("t.txt", b"%PDF-1.4\n", "a PDF document"),
        ("t.docx", zipped(word__x=b"").replace(b"word.x", b"word/x"), "a Word document"),
        ("t.pkl", b"\x80\x04\x95" + bytes(range(256)) * 2, "a binary file"),
        ("t.csv.lz4", b"\x04\x22\x4d\x18\x00", "an LZ4 file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_what_is_no_table_is_named(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        opened(tmp_path, name, content)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["t.xls", "t.html"])
def test_the_table_of_a_page_is_read(tmp_path: Path, name: str) -> None:
    source = opened(tmp_path, name, PAGE)
    assert rows(source) == [{"id": "1", "text": "a & b"}]
    assert "a web page, read as its table" in source.doubts


@pytest.mark.parametrize("name", ["t.xls", "t.xlsx", "t.parquet"])
def test_a_table_of_text_with_the_name_of_another(tmp_path: Path, name: str) -> None:
    source = opened(tmp_path, name, PLAIN.replace(b",", b"\t"))
    assert rows(source) == ROWS
    assert "a table of text" in source.doubts[-1]


@pytest.mark.parametrize(
    "content", ["id|text\n1|hello\n2|there\n", '"id" "text"\n"1" "1" "a"\n"2" "2" "b"\n']
)
def test_a_text_that_looks_like_a_table_says_so(tmp_path: Path, content: str) -> None:
    source = opened(tmp_path, "t.txt", content)
    assert source.kind == "text" and "--delimiter" in source.doubts[0]
    table = opened(tmp_path, "t.txt", content, delimiter="|" if "|" in content else " ")
    assert table.kind == "table" and table.columns[-2:] == ("id", "text")


def test_what_a_workbook_says_beside_its_cells(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["region", "shop", "n"], ["North", "A", 1], [None, "B", "#N/A"], ["South", "C", 3]):
        # The table does not begin in the first column.
        sheet.append([None, *row])
    sheet.merge_cells("B2:B3")
    sheet.row_dimensions[4].hidden = True
    sheet["D4"].number_format = "0.0E+00"
    hidden = book.create_sheet("Old")
    hidden.append(["a"])
    hidden.append(["b"])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "t.xlsx")
    source = open_source(str(tmp_path / "t.xlsx"))
    assert source.columns == ("region", "shop", "n")
    assert [tuple(row.values()) for row in source.rows()] == [
        ("North", "A", 1), ("North", "B", "#N/A"), ("South", "C", "3.0E+00"),
    ]  # fmt: skip
    said = " ".join(source.doubts)
    for words in ("merged range (B2:B3)", "1 hidden row", "an error of Excel", "t.xlsx::Old opens"):
        assert words in said
    assert rows(open_source(f"{tmp_path / 't.xlsx'}::Old")) == [{"a": "b"}]
