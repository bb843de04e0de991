"""Properties of an answer that a filter can ask for: each a word, and a test that reads it.

To add one, put a word and a test into ``CHECKS``; ``tui.core.querykeys`` names the words that
a person may type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from tui.core.outcome import ANSWERED
from tui.core.rows import RowLine
from tui.errors import UsageError
from tui.store.lines import RowReader
from tui.store.selecting import Matcher

_PAGE = 500

AnswerCheck = Callable[[RowReader, Sequence[int]], Iterator[int]]
"""Takes a reader and up to 500 sequence numbers; gives those of the rows that pass, in order."""


def answers_that(test: Callable[[RowLine], bool]) -> AnswerCheck:
    """A check of rows that have an answer, by their row line."""

    def check(reader: RowReader, seqs: Sequence[int]) -> Iterator[int]:
        for seq, line in zip(seqs, reader.lines(seqs), strict=False):
            if line.outcome in ANSWERED and test(line):
                yield seq

    return check


CHECKS: dict[str, AnswerCheck] = {
    "json:ok": answers_that(lambda line: line.data is not None),
    "json:bad": answers_that(lambda line: line.data is None),
}
"""Word to check."""


def check_matchers(reader: RowReader, words: frozenset[str]) -> list[Matcher]:
    """A matcher for each check.

    Raises:
        UsageError: A word is not known.
    """
    known: Mapping[str, AnswerCheck] = CHECKS
    for word in sorted(words):
        if word not in known:
            raise UsageError(f"{word} cannot be asked for", f"Known are {', '.join(known)}.")
    return [partial(_paged, known[word], reader) for word in sorted(words)]


def _paged(check: AnswerCheck, reader: RowReader, seqs: Sequence[int]) -> Iterator[int]:
    for start in range(0, len(seqs), _PAGE):
        yield from check(reader, seqs[start : start + _PAGE])
