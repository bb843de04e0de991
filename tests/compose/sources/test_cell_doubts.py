"""Cells that are no data, or no longer what they were, are read as they are, and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.compose.sources.base import Source
from tui.compose.sources.open import open_source


def opened(folder: Path, content: str | bytes) -> Source:
    path = folder / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(str(path))


ROWS = "1,one,10\n2,two,20\n3,three,30\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,text,n\n1,one,#N/A\n2,#REF!,20\n3,three,30\n", "2 cells of 3 rows looked at with the"),
        ('id,text\n="001",one\n="002",two\n="003",three\n', "3 cells of 3 rows looked at with a"),
        ("id,n\n1.23457E+15,a\n1.23457E+15,b\n2.2E+15,c\n", "'id' were shortened by a spreadsheet"),
        (
            "id,text\n1,GrÃ¶ÃŸe\n2,itâ€™s fine\n3,ok\n",
            "decoded in a wrong way (first: row 1, 'GrÃ¶",
        ),
        ("id\ttext\n1\t\\N\n2\tone\n3\ttwo\n", "no value (first: row 1"),
        ("id,text\n1,one\n# a remark, here\n2,two\n3,three\n", "1 row with # at the start"),
        (f"id,text,n\n{ROWS}Total,,60\n", "the last row ('Total') may be the sum"),
        (f"id,text,n\n{ROWS}Grand total:,,60\n", "the last row ('Grand total:') may be the sum"),
        ('Q1,Q2\nHow?,Why?\n"{""ImportId"":""QID1""}",x\n1,2\n3,4\n', "2 rows below the header"),
        (
            "Id,Likes,,Why\n,Price,Form,Text\n1,Price,,a\n2,,Form,b\n3,,,c\n",
            "may be a second header",
        ),
    ],
)
def test_it_is_said_and_nothing_is_changed(tmp_path: Path, content: str, said: str) -> None:
    source = opened(tmp_path, content)
    assert said in "; ".join(source.doubts)
    assert len(list(source.open_rows())) == content.count("\n") - 1


@pytest.mark.parametrize(
    "content",
    [
        f"id,text,n\n{ROWS}",
        "tag,text\n#one,It is #1\n#two,C# and F#\n#three,total of 3\n",
        "id,text\n1,Ä Ü ß é ñ €\n2,Ça va\n3,São Paulo — Ã\n",
        "x,y\n1.5e-05,a\n2.5e+05,b\n1e10,c\n",
        "name,what\nAnn,Total war\nBob,The sum\nTotal recall,a film\n",
    ],
)
def test_usual_cells_are_not_doubted(tmp_path: Path, content: str) -> None:
    assert opened(tmp_path, content).doubts == ()


def test_emoji_as_two_surrogates_do_not_change_the_encoding(tmp_path: Path) -> None:
    source = opened(tmp_path, b"id,text\n1,\xed\xa0\xbd\xed\xb8\x80 hi\n2,caf\xc3\xa9\n")
    assert source.notes[0] == "utf-8" and "not UTF-8" in source.doubts[0]
    assert [row["text"][-2:] for row in source.open_rows()] == ["hi", "fé"]


def test_tables_of_toml_are_no_json(tmp_path: Path) -> None:
    path = tmp_path / "t.ini"
    path.write_text('[[rows]]\nid = 1\ntext = "one"\n')
    assert open_source(str(path)).kind == "text"
