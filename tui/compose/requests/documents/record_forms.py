"""How files of tagged records are known: references of papers, and e-mails."""

from __future__ import annotations

import re
from typing import Literal

RecordForm = Literal["ris", "medline", "wos", "bibtex", "mbox", "eml"]

WHAT: dict[RecordForm, str] = {
    "ris": "references of papers (RIS)",
    "medline": "references of papers (PubMed)",
    "wos": "references of papers (Web of Science)",
    "bibtex": "references of papers (BibTeX)",
    "mbox": "e-mails (mbox)",
    "eml": "an e-mail",
}

_ENTRY = re.compile(
    r"(?:(?:%[^\n]*)?\n\s*)*@\s*(?:article|book|booklet|comment|conference|data|dataset|electronic"
    r"|in(?:book|collection|proceedings)|manual|(?:masters|phd)?thesis|misc|online|patent|preamble"
    r"|proceedings|report|software|string|techreport|unpublished)\s*[{(]",
    re.IGNORECASE,
)
_STARTS: tuple[tuple[RecordForm, re.Pattern[str]], ...] = (
    ("ris", re.compile(r"TY  -")),
    ("medline", re.compile(r"PMID- ?\d")),
    ("wos", re.compile(r"FN [^\n]*\nVR [\d.]")),
    ("bibtex", _ENTRY),
    ("mbox", re.compile(r"From \S+[^\n]*\d{4}[^\n]*\n(?:[A-Za-z][\w-]*: ?[^\n]*\n)")),
)
_MAIL = re.compile(r"(?:[A-Za-z][\w-]*:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}\n")
_OF_MAIL = re.compile(
    r"^(?:from|subject|received|mime-version|date):", re.IGNORECASE | re.MULTILINE
)


def record_form(text: str, suffix: str) -> RecordForm | None:
    """The form of records that a text starts with; ``None`` for another text.

    Args:
        text: The first characters of the file.
        suffix: The ending of its name; an e-mail is only known by ``.eml``.
    """
    text = text.replace("\r\n", "\n").lstrip("\ufeff\n ")
    for form, start in _STARTS:
        if start.match(text):
            return form
    if suffix == ".bib" and _ENTRY.search(text):
        # Any text may stand before the first entry.
        return "bibtex"
    if suffix == ".eml" and _MAIL.match(text) and _OF_MAIL.search(text[:4096]):
        return "eml"
    return None
