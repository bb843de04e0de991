"""References of papers and e-mails: a record is a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compose.rows import written
from tui.compose.requests.recognition import recognize
from tui.compose.sources.base import Row
from tui.compose.sources.open import open_source


def rows(folder: Path, name: str, content: str) -> list[Row]:
    return list(open_source(str(written(folder, content.encode(), name))).rows())


RIS = (
    "TY  - JOUR\nAU  - Doe, J.\nAU  - Roe, A.\nTI  - A title\n that goes on\nER  - \n\nTY  - BOOK\n"
)
MEDLINE = (
    "PMID- 1\nTI  - A title\n      that goes on\nAU  - Doe J\nAU  - Roe A\n\nPMID- 2\nAB  - x\n"
)
WOS = (
    "FN Clarivate Analytics Web of Science\nVR 1.0\nPT J\nAU Doe, J\n   Roe, A\nTI A title\n"
    "   that goes on\nER\n\nPT J\nAU Poe\nER\n\nEF\n"
)
BIB = """\
% A comment, with @article{no}
@string{acm = "ACM"}
@article{doe2020,
  title = {A {B}ig title
           that goes on}, year = 2020,
  author = "Doe, J. and {Roe, \\"A\\"}",
  publisher = acm # { Press},
}
@Book(roe, title={Two})
"""


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "t.ris",
            RIS,
            [
                {"TY": "JOUR", "AU": "Doe, J.\nRoe, A.", "TI": "A title that goes on"},
                {"TY": "BOOK"},
            ],
        ),
        (
            "t.nbib",
            MEDLINE,
            [
                {"PMID": "1", "TI": "A title that goes on", "AU": "Doe J\nRoe A"},
                {"PMID": "2", "AB": "x"},
            ],
        ),
        (
            "savedrecs.txt",
            WOS,
            [{"PT": "J", "AU": "Doe, J\nRoe, A", "TI": "A title that goes on"},
             {"PT": "J", "AU": "Poe"}],
        ),
        (
            "t.bib",
            BIB,
            [
                {
                    "type": "article", "key": "doe2020", "title": "A {B}ig title that goes on",
                    "year": "2020", "author": 'Doe, J. and {Roe, \\"A\\"}',
                    "publisher": "ACM Press",
                },
                {"type": "book", "key": "roe", "title": "Two"},
            ],
        ),
    ],
)  # fmt: skip
def test_references(tmp_path: Path, name: str, content: str, expected: list[Row]) -> None:
    assert rows(tmp_path, name, content) == expected
    assert rows(tmp_path, name, content.replace("\n", "\r\n")) == expected
    assert "references of papers" in recognize(tmp_path / name).what


MAILS = """\
From a@b Thu Jan  1 00:00:00 2024
From: A <a@b>
To: c@d
Subject: =?utf-8?q?Caf=C3=A9?=
Content-Type: text/plain; charset=utf-8

Hello,
>From here

From c@d Thu Jan  1 00:00:00 2024
From: c@d
Subject: Two
Content-Type: text/plain; charset=no-such

Body
"""


def test_mails(tmp_path: Path) -> None:
    one, two = rows(tmp_path, "t.mbox", MAILS)
    assert (one["from"], one["subject"]) == ("A <a@b>", "Café")
    assert one["text"] == "Hello,\nFrom here"
    assert (two["subject"], two["text"]) == ("Two", "Body")
    (alone,) = rows(tmp_path, "t.eml", MAILS.split("\n\nFrom c")[0].split("\n", 1)[1])
    assert alone["subject"] == "Café"
    assert "e-mails" in recognize(tmp_path / "t.mbox").line


@pytest.mark.parametrize(
    "content", ["AU - a list\nof lines\n", "@mention hello\nand more\n", "From here on 2024\nx\n"]
)
def test_other_texts_are_texts(tmp_path: Path, content: str) -> None:
    assert [row["text"] for row in rows(tmp_path, "t.txt", content)] == content.splitlines()
