"""Estimate the tokens of texts: a usual number, and bounds that hold for the model's tokenizer.

With the extra ``tokens`` (rs-bpe, which has the data of OpenAI's ``o200k_base`` and ``cl100k_base``
in its package) the texts for models of these two families are counted. Else, and for all others,
letters are counted by script. The weights are tokens per character, measured with both tokenizers
on prose, tables, code and identifiers; models with another or an unknown tokenizer get the wider
bounds of both, with a margin.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple
from zlib import adler32

from tui.compose.requests.token_weights import (
    CAPITAL,
    DIGIT,
    KINDS,
    LETTER,
    WHITE_SPACE,
    Family,
    Most,
    most_tokens,
    tokens_beyond_ascii,
)

_O200K = re.compile(r"(ft:)?(gpt-4o|gpt-4\.|gpt-5|gpt-oss|chatgpt-4o|o[134])(?!\d)")
_CL100K = re.compile(r"(ft:)?(gpt-4(-|$)|gpt-3\.5|gpt-35|text-embedding-(3|ada-002))")


@lru_cache(1024)
def family_of(model: str) -> Family:
    """The tokenizer family of a model, by its name (source: ``tiktoken/model.py``)."""
    name = model.rpartition("/")[2]
    if _O200K.match(name):
        return "o200k"
    return "cl100k" if _CL100K.match(name) else "other"


class Tokens(NamedTuple):
    """A number of tokens: the usual one, and its bounds."""

    usual: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def expected(self) -> float:
        """The usual number, but at least the fewest, which has what a prompt holds beside texts."""
        return max(self.usual, self.low)

    def plus(self, other: Tokens) -> Tokens:
        """The sum of both."""
        return Tokens(self.usual + other.usual, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Tokens:
        """Each multiplied by a factor."""
        return Tokens(self.usual * factor, self.low * factor, self.high * factor)


NO_TOKENS = Tokens()

_BETWEEN = b"\xff"
"""Stands between texts: it is in none, has no tokens, and no word goes on behind it."""

_ASCII = bytes(range(128))
_NOT_ASCII = bytes(range(128, 255))
_LEAST_LETTER, _LEAST_DIGIT, _LEAST_MARK = 0.214, 0.55, 0.54
"""The fewest tokens of ASCII characters, which all tokenizers treat much alike; a space has none.

The most that letters, digits and spaces have is found by their neighbours: see ``most_tokens``.
"""

_MOST_OF_MARK = 1.0


@lru_cache
def counter_of(family: Family) -> Callable[[str], int] | None:
    """Counts the tokens of a text as the family's tokenizer does; ``None`` without the extra."""
    if family == "other":
        return None
    try:
        from rs_bpe import openai
    except ImportError:
        return None
    count: Callable[[str], int] = getattr(openai, f"{family}_base")().count
    return count


def tokens_of_texts(texts: Iterable[str], family: Family) -> Tokens:
    """Estimate the tokens of some texts, or count them where the tokenizer is installed."""
    if (count := counter_of(family)) is not None:
        # A surrogate that stands alone has no UTF-8.
        number = sum(count(text.encode("utf-8", "replace").decode()) for text in texts)
        return Tokens(number, number, number)
    parts = list(texts)
    if all(map(str.isascii, parts)):
        joined = _BETWEEN.decode("latin-1").join(parts).encode("latin-1")
        return _ascii_tokens(joined, family, between=len(parts) - 1, is_ascii=True)
    encoded = _BETWEEN.join([text.encode("utf-8", "surrogatepass") for text in parts])
    tokens = _ascii_tokens(encoded, family, between=len(parts) - 1, is_ascii=False)
    others = encoded.translate(None, _ASCII + _BETWEEN).decode("utf-8", "surrogatepass")
    return tokens.plus(Tokens(*tokens_beyond_ascii(others, family)))


def least_tokens(text: str, family: Family) -> float:
    """The fewest tokens of a text, from all of its characters and not from a sample."""
    if counter_of(family) is not None:
        return tokens_of_texts([text], family).low
    pieces = (text[start : start + _WHOLE] for start in range(0, len(text), _WHOLE))
    return sum(tokens_of_texts([piece], family).low for piece in pieces)


_WHOLE = 1 << 15
"""The longest text of which the characters of each kind are counted.

Of longer texts all characters are counted for the upper bound, which decides about money, and a
sample for the lower one.
"""

_PIECE = 1 << 16
"""The part of a longer text that is taken to be of one kind: a block of rows, or less."""

_BITS = [
    int.from_bytes(bytes([bits]) * _WHOLE, "little")
    for bits in (LETTER, CAPITAL, DIGIT, WHITE_SPACE)
]

_STRIDE = 61
"""Each 61st character of a long text is in its sample; a prime, as rows of a table may be alike."""

_LEAST_SAMPLED = 1 << 12

_STANDARD_ERRORS = 3.0
"""By how many standard errors of the sample the lower bound is lowered: about 4 percent."""

_UNIT = 50
"""Parts of a token in which the characters of a long text are added up, rounded up."""

_SUMMED = 65520 // _UNIT
"""So many characters have at most a token each, which Adler-32 can add up without a carry."""


def _ascii_tokens(text: bytes, family: Family, *, between: int, is_ascii: bool) -> Tokens:
    """The tokens of the ASCII characters of texts in UTF-8.

    Args:
        text: The texts, with ``_BETWEEN`` between them.
        family: The tokenizer.
        between: How many of these marks there are.
        is_ascii: Whether there are no other characters.
    """
    if len(text) > _WHOLE:
        tokens = _long_ascii_tokens(text, family, is_ascii=is_ascii)
        return tokens._replace(usual=max(tokens.usual - between / 4, tokens.low))
    plain = text if is_ascii else text.translate(None, _NOT_ASCII)
    if not (size := len(plain) - between):
        return NO_TOKENS
    counts = _Counts(plain)
    least, most = _rarity(plain, counts, family, accented=size * _ACCENTED < len(text))
    weights = _most(text, most, family)
    low = sum(each * count for count, each in counts.least(least))
    high = sum(each * count for count, each in counts.most(weights))
    usual = size / 4
    # A text of a few characters has at least one token.
    return Tokens(usual, min(low, usual), max(high, usual, 1.0))


def _most(text: bytes, rarity: float, family: Family) -> Most:
    """The most tokens of the characters of a text on the average; see ``most_tokens``."""
    sample = _sample(text)
    weights = most_tokens(sample, rarity)
    if len(sample) < len(text):
        weights = Most(*(min(weight * _SAMPLING_ERROR, 1.0) for weight in weights))
    # Other tokenizers have a token for each digit.
    return weights._replace(digit=1.0) if family == "other" else weights


_SAMPLING_ERROR = 1.03
"""What is seen in a sample may be so much more often in the text."""

_WINDOWS_SEEN = 32
_SEEN = 1 << 11


def _sample(text: bytes) -> bytes:
    """Windows of a text, at distances that are not equal, as rows of a table may be alike."""
    if len(text) <= _SEEN * 2:
        return text
    size, step = _SEEN // _WINDOWS_SEEN, len(text) // _WINDOWS_SEEN
    starts = (n * step + n * _STRIDE % max(step - size, 1) for n in range(_WINDOWS_SEEN))
    return _BETWEEN.join([text[start : start + size] for start in starts])


class _Counts:
    """How many characters of each kind a text of at most ``_WHOLE`` ASCII characters has."""

    __slots__ = ("capitals", "digits", "letters", "size", "spaces")

    def __init__(self, text: bytes) -> None:
        kinds = int.from_bytes(text.translate(KINDS), "little")
        self.size = len(text) - text.count(_BETWEEN)
        self.letters, self.capitals, self.digits, self.spaces = [
            (kinds & bits).bit_count() for bits in _BITS
        ]

    @property
    def is_prose(self) -> bool:
        """Whether there are few marks and digits: names in code are mostly English."""
        return (self.size - self.letters - self.spaces) * 7 < self.letters

    def least(self, more: float) -> tuple[tuple[int, float], ...]:
        """The number of characters of each kind, and the fewest tokens of each.

        ``more`` is what a letter has beyond one of English prose.
        """
        return self._weighted(_LEAST_LETTER + more, _LEAST_DIGIT, _LEAST_MARK, 0.0)

    def most(self, weights: Most) -> tuple[tuple[int, float], ...]:
        """The number of characters of each kind, and the most tokens of each."""
        return self._weighted(weights.letter, weights.digit, _MOST_OF_MARK, weights.space)

    def _weighted(
        self, letter: float, digit: float, mark: float, space: float
    ) -> tuple[tuple[int, float], ...]:
        marks = self.size - self.letters - self.digits - self.spaces
        return (
            (self.letters, letter), (self.digits, digit), (marks, mark), (self.spaces, space),
        )  # fmt: skip


def _long_ascii_tokens(text: bytes, family: Family, *, is_ascii: bool) -> Tokens:
    """The bounds of long texts, piece by piece.

    The upper one is that of all characters. The lower one, and what kind of text a piece is, come
    from a sample.
    """
    low = variance = high = 0.0
    size = 0
    for start in range(0, len(text), _PIECE):
        part = text[start : start + _PIECE]
        piece = part if is_ascii else part.translate(None, _NOT_ASCII)
        sample = piece[::_STRIDE] if len(piece) > _LEAST_SAMPLED else piece
        counts = _Counts(sample)
        if not counts.size:
            high += len(piece)
            continue
        size += len(piece)
        least, most = _rarity(piece, counts, family, accented=len(piece) * _ACCENTED < len(part))
        sums = squares = 0.0
        for count, each in counts.least(least):
            sums += each * count
            squares += each**2 * count
        factor = len(piece) / len(sample)
        low += sums * factor
        variance += max(squares - sums**2 / len(sample), 0.0) * factor**2
        high += _high_sum(piece, _most(part, most, family))
    usual = size / 4
    low = max(low - _STANDARD_ERRORS * math.sqrt(variance), 0.0)
    return Tokens(usual, min(low, usual), max(high, usual))


def _high_sum(piece: bytes, weights: Most) -> float:
    """The most tokens of all characters, with these weights of letters and white space."""
    # A view, whose slices are not copies.
    rounded = (math.ceil(round(weight * _UNIT, 6)) for weight in weights)
    units = memoryview(piece.translate(_units(*rounded)))
    starts = range(0, len(units), _SUMMED)
    return sum([(adler32(units[at : at + _SUMMED]) - 1) & 0xFFFF for at in starts]) / _UNIT


@lru_cache
def _units(letter: int, digit: int, space: int) -> bytes:
    """The most tokens of each ASCII character, in units of ``1 / _UNIT``."""
    table = [math.ceil(_MOST_OF_MARK * _UNIT)] * 256
    for bits, weight in ((LETTER, letter), (DIGIT, digit), (WHITE_SPACE, space)):
        for byte, kinds in enumerate(KINDS):
            if kinds & bits:
                table[byte] = weight
    table[_BETWEEN[0]] = 0
    return bytes(table)


_ENGLISH = re.compile(rb" (?:the|and|of|to|for|with)(?= )")
_ACCENTED = 1.02
_WELL_KNOWN = re.compile(
    rb" (?:the|and|of|to|for|with|de|la|que|en|et|les|une|und|der|die|het|een|para|di|che|yang|dan"
    rb"|untuk)(?= )"
)
"""Words of languages that all tokenizers know well; other languages have one or another of them."""

_FOREIGN: dict[Family, tuple[float, float]] = {
    "o200k": (0.03, 0.18), "cl100k": (0.08, 0.22), "other": (0.14, 0.24),
}  # fmt: skip
"""What a letter of a well known language, and of another one, has beyond one of English prose."""

_WINDOW = 256
"""So many characters of English prose nearly always have one of these words."""

_WINDOWS = 16
_LEAST_LETTERS = 40


def _rarity(text: bytes, counts: _Counts, family: Family, *, accented: bool) -> tuple[float, float]:
    """The tokens that a letter has beyond one of English prose, at least and at most.

    Codes and identifiers have few words; languages without accents need more tokens than English.

    Args:
        text: The text.
        counts: The characters of the text, or of a sample of it.
        family: The tokenizer.
        accented: Whether there are characters beyond ASCII, which have weights of their own.
    """
    letters = counts.letters
    if letters * len(text) < _LEAST_LETTERS * counts.size:
        return 0.0, 0.0
    least = most = 0.0
    if counts.spaces * 12 < letters:
        least, most = 0.14, 0.28
    elif not _has_words(text, _ENGLISH):
        is_strange = not accented and counts.is_prose and not _has_words(text, _WELL_KNOWN, 2)
        most = _FOREIGN[family][is_strange]
    if counts.capitals * 8 > letters:
        least, most = least + 0.03, most + 0.15
    return least, most


def _has_words(text: bytes, words: re.Pattern[bytes], least: int = 1) -> bool:
    """Whether nearly every part of a text that is looked at has so many of the words.

    One such word proves little: rows may be in several languages, or below English instructions.
    """
    starts = range(0, max(1, len(text) - _WINDOW + 1), max(_WINDOW, len(text) // _WINDOWS))
    without = 0
    for start in starts:
        if least == 1:
            without += words.search(text, start, start + _WINDOW) is None
        else:
            without += len(set(words.findall(text, start, start + _WINDOW))) < least
    return without * 8 <= len(starts)


def tokens_of_json(size: float) -> Tokens:
    """Estimate the tokens of a JSON value of so many bytes, such as tools or a schema.

    Providers rewrite them in a form of their own, which may be shorter or longer.
    """
    return Tokens(size / 4, size / 10, size / 2)


MESSAGE_TOKENS = Tokens(0.0, 3.0, 5.0)
"""What a message has besides its text: role and marks; 3 or 4 in OpenAI's cookbook."""

REQUEST_TOKENS = Tokens(0.0, 2.0, 5.0)
"""What a request has besides its messages; reasoning models and tools add a few."""
