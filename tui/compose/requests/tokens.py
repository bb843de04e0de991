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
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, NamedTuple
from zlib import adler32

Family = Literal["o200k", "cl100k", "other"]

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

    def plus(self, other: Tokens) -> Tokens:
        """The sum of both."""
        return Tokens(self.usual + other.usual, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Tokens:
        """Each multiplied by a factor."""
        return Tokens(self.usual * factor, self.low * factor, self.high * factor)


NO_TOKENS = Tokens()

_ASCII = bytes(range(128))
_NOT_ASCII = bytes(range(128, 256))
_CAPITALS = bytes(range(65, 91))
_LETTERS = _CAPITALS + bytes(range(97, 123))
_DIGITS = b"0123456789"
_SPACES = b" \t\r\n\x0b\x0c"
_SPACED = 0.04
"""Spaces mostly belong to the token of the word that follows."""

_ASCII_WEIGHTS: dict[str, tuple[float, float]] = {
    "letter": (0.21, 0.295),
    "digit": (0.55, 1.0),
    "mark": (0.52, 0.95),
    "space": (0.0, _SPACED),
}
"""The bounds for ASCII, which all tokenizers treat much alike."""

Script = Literal[
    "latin", "cyrillic", "greek", "semitic", "cjk", "hangul", "indic", "ethiopic", "symbol",
    "joiner",
]  # fmt: skip
_WEIGHTS: dict[Family, dict[Script, tuple[float, float, float]]] = {
    "o200k": {
        "latin": (0.8, 0.5, 1.6),
        "cyrillic": (0.3, 0.23, 0.4),
        "greek": (0.45, 0.35, 0.6),
        "semitic": (0.42, 0.33, 0.6),
        "cjk": (0.75, 0.6, 0.95),
        "hangul": (0.75, 0.6, 0.95),
        "indic": (0.42, 0.32, 0.65),
        "ethiopic": (2.4, 1.5, 3.3),
        "symbol": (1.3, 0.8, 2.5),
        "joiner": (0.5, 0.0, 1.0),
    },
    "cl100k": {
        "latin": (1.2, 0.7, 2.0),
        "cyrillic": (0.52, 0.42, 0.7),
        "greek": (1.0, 0.8, 1.2),
        "semitic": (0.95, 0.72, 1.25),
        "cjk": (1.1, 0.9, 1.4),
        "hangul": (1.35, 1.0, 1.6),
        "indic": (1.2, 1.0, 2.1),
        "ethiopic": (3.0, 2.0, 4.0),
        "symbol": (2.0, 1.0, 3.0),
        "joiner": (0.8, 0.0, 2.0),
    },
    "other": {
        "latin": (1.0, 0.5, 2.6),
        "cyrillic": (0.4, 0.24, 0.7),
        "greek": (0.8, 0.38, 1.35),
        "semitic": (0.75, 0.33, 1.35),
        "cjk": (0.95, 0.6, 1.45),
        "hangul": (1.1, 0.62, 1.6),
        "indic": (0.9, 0.35, 2.9),
        "ethiopic": (2.0, 1.0, 4.4),
        "symbol": (1.6, 0.8, 3.0),
        "joiner": (0.7, 0.0, 2.0),
    },
}
"""Tokens per character beyond ASCII: usual, low and high, by tokenizer family."""

_NAMED: tuple[tuple[str, Script], ...] = (
    ("LATIN", "latin"),
    ("CYRILLIC", "cyrillic"),
    ("GREEK", "greek"),
    ("ARABIC", "semitic"),
    ("HEBREW", "semitic"),
    ("CJK", "cjk"),
    ("HIRAGANA", "cjk"),
    ("KATAKANA", "cjk"),
    ("IDEOGRAPHIC", "cjk"),
    ("FULLWIDTH", "cjk"),
    ("HANGUL", "hangul"),
    ("ETHIOPIC", "ethiopic"),
    ("ZERO WIDTH", "joiner"),
    ("VARIATION SELECTOR", "joiner"),
)


@lru_cache(8192)
def _script(character: str) -> Script:
    name = unicodedata.name(character, "")
    for start, script in _NAMED:
        if name.startswith(start):
            return script
    # Letters and vowel signs of the scripts of India, South-East Asia, Ethiopia and others.
    return "indic" if unicodedata.category(character)[0] in "LMN" else "symbol"


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
    joined = "".join(texts)
    if joined.isascii():
        return _ascii_tokens(joined.encode(), family)
    encoded = joined.encode("utf-8", "surrogatepass")
    usual, low, high = _ascii_tokens(encoded.translate(None, _NOT_ASCII), family)
    weights = _WEIGHTS[family]
    others = encoded.translate(None, _ASCII).decode("utf-8", "surrogatepass")
    for character, times in Counter(others).items():
        each = weights[_script(character)]
        usual += each[0] * times
        low += each[1] * times
        high += each[2] * times
    return Tokens(usual, low, high)


def least_tokens(text: str, family: Family) -> float:
    """The fewest tokens of a text, from all of its characters and not from a sample."""
    if counter_of(family) is not None:
        return tokens_of_texts([text], family).low
    pieces = (text[start : start + _WHOLE] for start in range(0, len(text), _WHOLE))
    return sum(tokens_of_texts([piece], family).low for piece in pieces)


_LETTER, _CAPITAL, _DIGIT, _SPACE = 1, 2, 4, 8
_KINDS = bytes(
    (_LETTER if character in _LETTERS else 0)
    | (_CAPITAL if character in _CAPITALS else 0)
    | (_DIGIT if character in _DIGITS else 0)
    | (_SPACE if character in _SPACES else 0)
    for character in range(256)
)
"""The kinds of each character as bits."""

_WHOLE = 1 << 15
"""The longest text of which the characters of each kind are counted.

Of longer texts all characters are counted for the upper bound, which decides about money, and a
sample for the lower one.
"""

_BITS = {
    bit: int.from_bytes(bytes([bit]) * _WHOLE, "little")
    for bit in (_LETTER, _CAPITAL, _DIGIT, _SPACE)
}

_STRIDE = 61
"""Each 61st character of a long text is in its sample; a prime, as rows of a table may be alike."""

_LEAST_SAMPLED = 1 << 12

_STANDARD_ERRORS = 3.0
"""By how many standard errors of the sample the lower bound is lowered: about 4 percent."""

_UNIT = 20
"""Parts of a token in which the characters of a long text are added up, rounded up."""

_SUMMED = 65520 // _UNIT
"""So many characters have at most a token each, which Adler-32 can add up without a carry."""


def _ascii_tokens(text: bytes, family: Family) -> Tokens:
    if not text:
        return NO_TOKENS
    if len(text) > _WHOLE:
        return _long_ascii_tokens(text, family)
    counts = _Counts(text)
    least, most = _rarity(text, counts, family)
    low = sum(each * count for count, (each, _) in counts.weighted(least, 0.0))
    high = sum(each * count for count, (_, each) in counts.weighted(0.0, most))
    usual = len(text) / 4
    # A text of a few characters has at least one token.
    return Tokens(usual, min(low, usual), max(high, usual, 1.0))


class _Counts:
    """How many characters of each kind a text of at most ``_WHOLE`` ASCII characters has."""

    __slots__ = ("capitals", "digits", "letters", "size", "spaces")

    def __init__(self, text: bytes) -> None:
        kinds = int.from_bytes(text.translate(_KINDS), "little")
        self.size = len(text)
        self.letters, self.capitals, self.digits, self.spaces = [
            (kinds & bits).bit_count() for bits in _BITS.values()
        ]

    def weighted(self, least: float, most: float) -> tuple[tuple[int, tuple[float, float]], ...]:
        """The number of characters of each kind, and the bounds of the tokens of each of them.

        ``least`` and ``most`` are those of ``_rarity``.
        """
        low, high = _ASCII_WEIGHTS["letter"]
        marks = self.size - self.letters - self.digits - self.spaces
        return (
            (self.letters, (low + least, high + most)),
            (self.digits, _ASCII_WEIGHTS["digit"]),
            (marks, _ASCII_WEIGHTS["mark"]),
            (self.spaces, _ASCII_WEIGHTS["space"]),
        )


def _long_ascii_tokens(text: bytes, family: Family) -> Tokens:
    """The bounds of a long text, piece by piece.

    The upper one is that of all characters. The lower one, and what kind of text a piece is, come
    from a sample.
    """
    low = variance = high = 0.0
    for start in range(0, len(text), _WHOLE):
        piece = text[start : start + _WHOLE]
        counts = _Counts(piece[::_STRIDE] if len(piece) > _LEAST_SAMPLED else piece)
        least, most = _rarity(piece, counts, family)
        sums = squares = 0.0
        for count, (each, _) in counts.weighted(least, 0.0):
            sums += each * count
            squares += each**2 * count
        factor = len(piece) / counts.size
        low += sums * factor
        variance += max(squares - sums**2 / counts.size, 0.0) * factor**2
        high += _high_sum(piece, most)
    usual = len(text) / 4
    low = max(low - _STANDARD_ERRORS * math.sqrt(variance), 0.0)
    return Tokens(usual, min(low, usual), max(high, usual))


def _high_sum(piece: bytes, most: float) -> float:
    """The most tokens of all characters; a letter has ``most`` beyond one of English prose."""
    # A view, whose slices are not copies.
    units = memoryview(piece.translate(_units(most)))
    starts = range(0, len(units), _SUMMED)
    return sum([(adler32(units[at : at + _SUMMED]) - 1) & 0xFFFF for at in starts]) / _UNIT


@lru_cache
def _units(most: float) -> bytes:
    """The most tokens of each ASCII character, in units of ``1 / _UNIT``."""
    kinds = (
        (_LETTERS, _ASCII_WEIGHTS["letter"][1] + most),
        (_DIGITS, _ASCII_WEIGHTS["digit"][1]),
        (_SPACES, _ASCII_WEIGHTS["space"][1]),
    )
    table = [math.ceil(_ASCII_WEIGHTS["mark"][1] * _UNIT)] * 256
    for characters, weight in kinds:
        for character in characters:
            table[character] = math.ceil(round(weight * _UNIT, 6))
    return bytes(table)


_ENGLISH = (b" the ", b" and ", b" of ", b" to ", b" for ", b" with ")
_WINDOW = 256
"""So many characters of English prose nearly always have one of these words."""

_WINDOWS = 16
_LEAST_LETTERS = 40


def _rarity(text: bytes, counts: _Counts, family: Family) -> tuple[float, float]:
    """The tokens that a letter has beyond one of English prose, at least and at most.

    Codes and identifiers have few words; languages without accents need more tokens than English,
    but for the newest tokenizer.

    Args:
        text: The text.
        counts: The characters of the text, or of a sample of it.
        family: The tokenizer.
    """
    letters = counts.letters
    if letters * len(text) < _LEAST_LETTERS * counts.size:
        return 0.0, 0.0
    least = most = 0.0
    if counts.spaces * 12 < letters:
        least, most = 0.14, 0.28
    elif family != "o200k" and not _is_english(text):
        most = 0.14
    if counts.capitals * 8 > letters:
        least, most = least + 0.03, most + 0.15
    return least, most


def _is_english(text: bytes) -> bool:
    """Whether nearly every part of a text that is looked at has an English word.

    One such word proves little: rows may be in several languages, or below English instructions.
    """
    starts = range(0, max(1, len(text) - _WINDOW + 1), max(_WINDOW, len(text) // _WINDOWS))
    without = 0
    for start in starts:
        found = any(text.find(word, start, start + _WINDOW) >= 0 for word in _ENGLISH)
        without += not found
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
