"""The words of a filter: ``outcome:failed code:429 tokens:>500 re:refund.* plain words``.

The dashboard's filter line and the ``--where`` of the command line read the same language.
What has no key is text to look for; plain words that stand together are one phrase. Quotes
hold spaces together, a comma means "or", a key that is given twice means "or" for words and
"and" for numbers.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from tui.core.filtering import ALL_ROWS, RowFilter
from tui.core.querykeys import KEYS, Key, UnfitValueError, by_name

_TOKEN = re.compile(r'(?:"[^"]*(?:"|$)|[^\s"])+')
_KEYED = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)
_COMPARED = re.compile(r"([A-Za-z_]+)([<>]=?\d.*)")
_ALIKE = 0.75


@dataclass(frozen=True)
class Term:
    """One condition as it was typed; ``key`` is empty for a text, ``re`` for an expression.

    ``start`` and ``stop`` bound it within the query.
    """

    written: str
    key: str
    value: str
    start: int = 0
    stop: int = 0


@dataclass(frozen=True)
class Problem:
    """What is wrong with a query, where, and what was probably meant (or empty)."""

    message: str
    meant: str
    start: int
    stop: int


@dataclass(frozen=True)
class Query:
    """A query that was read; terms with a problem are not among the conditions.

    Attributes:
        terms: The conditions in the order typed.
        rows: What they mean together.
        problems: What could not be understood.
    """

    terms: tuple[Term, ...] = ()
    rows: RowFilter = ALL_ROWS
    problems: tuple[Problem, ...] = ()


def read_query(text: str) -> Query:
    """Read a query; it never fails, see ``Query.problems``."""
    terms: list[Term] = []
    problems: list[Problem] = []
    rows = ALL_ROWS
    for term in _terms(text):
        try:
            rows = _meet(rows, term)
        except UnfitValueError as error:
            problems.append(Problem(error.message, error.meant, term.start, term.stop))
        else:
            terms.append(term)
    return Query(tuple(terms), rows, tuple(problems))


def written(terms: Iterable[Term]) -> str:
    """The query that consists of some terms; phrases side by side stay apart."""
    parts: list[str] = []
    plain_before = False
    for term in terms:
        plain = not term.key and not term.written.startswith('"')
        if plain and plain_before:
            parts.append(quoted_value(term.value, always=True))
        else:
            parts.append(term.written)
        plain_before = plain
    return " ".join(parts)


def term_of(key: str, value: str) -> Term:
    """A term for a value that may hold anything, quoted where it must be."""
    prefix = f"{key}:" if key else ""
    return Term(prefix + quoted_value(value), key, value)


def quoted_value(value: str, *, always: bool = False) -> str:
    """A value as it stands in a query."""
    # A quote cannot be written within quotes; nothing that is compared holds one.
    value = value.replace('"', "")
    return f'"{value}"' if always or not value or re.search(r"\s", value) else value


def completions(text: str) -> list[str]:
    """What the last word of a query may become, best first: keys, or values of its key."""
    last = _last_token(text)
    key, colon, value = last.partition(":")
    if not colon:
        return [f"{k.name}:" for k in KEYS if last and k.name.startswith(last.lower())]
    known = by_name(key)
    if known is None:
        return []
    chosen, comma, part = value.rpartition(",")
    return [
        f"{key}:{chosen}{comma}{choice}"
        for choice in known.choices
        if choice.startswith(part.lower()) and choice != part
    ]


def completed(text: str) -> str:
    """The query with its last word completed as far as it is clear."""
    choices = completions(text)
    if not choices:
        return text
    last = _last_token(text)
    common = choices[0]
    for choice in choices[1:]:
        while not choice.startswith(common):
            common = common[:-1]
    if len(common) <= len(last):
        common = choices[0]
    return text[: len(text) - len(last)] + common


def key_at_end(text: str) -> Key | None:
    """The key of which a value is being typed at the end of a query."""
    key, colon, _ = _last_token(text).partition(":")
    return by_name(key) if colon else None


def _last_token(text: str) -> str:
    tokens = list(_TOKEN.finditer(text))
    return tokens[-1].group() if tokens and tokens[-1].end() == len(text) else ""


def _terms(text: str) -> list[Term]:
    found: list[Term] = []
    for match in _TOKEN.finditer(text):
        token, start, stop = match.group(), match.start(), match.end()
        keyed = _KEYED.fullmatch(token)
        key = keyed[1].lower() if keyed is not None and _is_key(keyed[1]) else ""
        if key and keyed is not None:
            # An expression keeps its case and its quotes mean nothing but "together".
            found.append(Term(token, key, keyed[2].replace('"', ""), start, stop))
            continue
        before = found[-1] if found else None
        if (compared := _COMPARED.fullmatch(token)) is not None and _is_measure(compared[1]):
            # Written as in other languages.
            key, value = compared[1].lower(), compared[2]
            found.append(Term(f"{key}:{value}", key, value, start, stop))
            continue
        plain = not token.startswith('"')
        if plain and before is not None and not before.key and not before.written.startswith('"'):
            # The spaces between plain words are part of the text, as they were typed.
            phrase = text[before.start : stop]
            found[-1] = Term(phrase, "", phrase.replace('"', ""), before.start, stop)
        else:
            found.append(Term(token, "", token.replace('"', ""), start, stop))
    return [term for term in found if term.key or term.value]


def _is_key(word: str) -> bool:
    """Is it a key, or so nearly one that it was meant to be?

    Anything else before a colon is text: ``http://``, ``sandbox:refuse``.
    """
    return by_name(word) is not None or bool(_nearest(word))


def _is_measure(word: str) -> bool:
    """Is it a key whose values are more or less, like ``tokens``?"""
    key = by_name(word)
    return key is not None and any(sign in key.example for sign in "<>")


def _nearest(word: str) -> str:
    names = [name for key in KEYS for name in (key.name, *key.others)]
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=_ALIKE)
    return near[0] if near else ""


def _meet(rows: RowFilter, term: Term) -> RowFilter:
    if not term.key:
        return with_text(rows, term.value)
    key = by_name(term.key)
    if key is None:
        meant = f"{_nearest(term.key)}:{term.value}"
        raise UnfitValueError(f"There is no {term.key}:", meant)
    if not term.value:
        raise UnfitValueError(f"{key.name}: wants a value, such as {key.example}")
    return key.meet(rows, term.value)


def with_text(rows: RowFilter, text: str) -> RowFilter:
    """The rows of a filter that also hold a text, which is never an expression."""
    if text.startswith("re:"):
        text = f"re:{re.escape(text)}"
    if not rows.text:
        return msgspec.structs.replace(rows, text=text)
    return msgspec.structs.replace(rows, texts=(*rows.texts, text))
