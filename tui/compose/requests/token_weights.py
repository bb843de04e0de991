"""How many tokens characters have: in ASCII by their neighbours, beyond it by script.

The weights are tokens per character, measured with ``o200k_base`` and ``cl100k_base``.

A letter of a word has a third of a token or less, one that stands alone has a whole one, and so
have digits where the tokenizer joins them. A space is part of the token of the word behind it, but
not of a number, and not in a longer run of white space. Words of a language change between vowels
and consonants, codes and abbreviations do not.

A tokenizer has no pieces for scripts that it has hardly seen: their characters have up to a token
per byte.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Literal, NamedTuple

Family = Literal["o200k", "cl100k", "other"]
"""Families of tokenizers."""

Script = Literal[
    "latin", "phonetic", "cyrillic", "rare cyrillic", "greek", "semitic", "point", "cjk",
    "rare cjk", "wide", "hangul", "rare hangul", "indic", "tibetan", "ethiopic", "symbol", "run",
    "joiner", "rare",
]  # fmt: skip
_WEIGHTS: dict[Family, dict[Script, tuple[float, float, float]]] = {
    "o200k": {
        "latin": (0.8, 0.5, 1.6),
        "phonetic": (1.2, 0.5, 2.0),
        "cyrillic": (0.3, 0.23, 0.4),
        "rare cyrillic": (0.55, 0.25, 1.1),
        "greek": (0.45, 0.35, 0.6),
        "semitic": (0.42, 0.33, 0.56),
        "point": (1.0, 0.3, 2.4),
        "cjk": (0.75, 0.6, 0.95),
        "rare cjk": (2.0, 0.9, 3.0),
        "wide": (1.4, 0.6, 2.1),
        "hangul": (0.75, 0.6, 0.95),
        "rare hangul": (2.2, 1.0, 3.0),
        "indic": (0.42, 0.32, 0.7),
        "tibetan": (0.8, 0.5, 1.5),
        "ethiopic": (2.4, 1.5, 3.3),
        "symbol": (1.3, 0.8, 2.5),
        "run": (1.3, 0.05, 2.5),
        "joiner": (0.5, 0.0, 1.0),
        "rare": (0.8, 0.3, 1.12),
    },
    "cl100k": {
        "latin": (1.2, 0.72, 1.95),
        "phonetic": (1.3, 0.7, 2.2),
        "cyrillic": (0.52, 0.42, 0.77),
        "rare cyrillic": (1.0, 0.45, 2.0),
        "greek": (1.0, 0.8, 1.2),
        "semitic": (0.95, 0.72, 1.25),
        "point": (1.3, 0.5, 2.4),
        "cjk": (1.1, 0.9, 1.46),
        "rare cjk": (2.3, 1.0, 3.0),
        "wide": (1.6, 0.8, 2.1),
        "hangul": (1.35, 1.0, 1.6),
        "rare hangul": (2.5, 1.2, 3.0),
        "indic": (1.2, 1.0, 2.16),
        "tibetan": (1.2, 0.8, 2.1),
        "ethiopic": (3.0, 2.0, 4.0),
        "symbol": (2.0, 1.0, 3.0),
        "run": (2.0, 0.05, 3.0),
        "joiner": (0.8, 0.0, 2.0),
        "rare": (0.9, 0.3, 1.12),
    },
    "other": {
        "latin": (1.0, 0.5, 2.6),
        "phonetic": (1.2, 0.5, 2.6),
        "cyrillic": (0.4, 0.24, 0.8),
        "rare cyrillic": (0.7, 0.25, 2.0),
        "greek": (0.8, 0.35, 1.35),
        "semitic": (0.75, 0.33, 1.35),
        "point": (1.1, 0.3, 2.4),
        "cjk": (0.95, 0.6, 1.5),
        "rare cjk": (2.1, 0.9, 3.2),
        "wide": (1.5, 0.6, 2.1),
        "hangul": (1.1, 0.6, 1.6),
        "rare hangul": (2.2, 0.9, 3.2),
        "indic": (0.9, 0.28, 2.9),
        "tibetan": (1.0, 0.5, 2.9),
        "ethiopic": (2.0, 1.0, 4.4),
        "symbol": (1.6, 0.8, 3.0),
        "run": (1.6, 0.05, 3.0),
        "joiner": (0.7, 0.0, 2.0),
        "rare": (0.8, 0.25, 1.12),
    },
}
"""Tokens per character: usual, low and high, by tokenizer family.

Those of ``rare`` ones are per byte, and have a share of the space before a word.
"""

_NAMED: tuple[tuple[str, Script], ...] = (
    ("LATIN", "latin"),
    ("MODIFIER LETTER", "phonetic"),
    ("CYRILLIC", "cyrillic"),
    ("GREEK", "greek"),
    ("ARABIC", "semitic"),
    ("HEBREW", "semitic"),
    ("CJK", "cjk"),
    ("HIRAGANA", "cjk"),
    ("KATAKANA", "cjk"),
    ("IDEOGRAPHIC", "cjk"),
    ("FULLWIDTH", "cjk"),
    ("HALFWIDTH", "wide"),
    ("HANGUL", "hangul"),
    ("ETHIOPIC", "ethiopic"),
    ("TIBETAN", "tibetan"),
    ("ZERO WIDTH", "joiner"),
    ("VARIATION SELECTOR", "joiner"),
    ("BOX DRAWINGS", "run"),
    ("REPLACEMENT CHARACTER", "run"),
    ("MATHEMATICAL", "rare"),
    ("BRAILLE", "rare"),
    ("TAG ", "rare"),
    *(
        (script, "indic")
        for script in (
            "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA",
            "MALAYALAM", "SINHALA", "THAI ", "LAO ", "MYANMAR", "KHMER", "GEORGIAN", "ARMENIAN",
        )
    ),
)  # fmt: skip
_LEVELS = (("gb2312", 0xD8), ("big5", 0xC9), ("shift_jis", 0x98))
"""Character sets whose common ideographs come first, and the first byte behind these."""


@lru_cache(8192)
def _script(character: str) -> Script:
    name = unicodedata.name(character, "")
    category = unicodedata.category(character)
    script = next((script for start, script in _NAMED if name.startswith(start)), None)
    if script is None:
        if category[0] in "LM":
            return _unnamed(character, category)
        unassigned = category in ("Co", "Cn")
        return "rare" if unassigned else "run" if category == "Zs" else "symbol"
    if category == "Mn" and script in ("semitic", "greek", "cyrillic"):
        return "point"
    return _frequency(character, name, category, script)


def _unnamed(character: str, category: str) -> Script:
    if category == "Mn" and character < "\u0370":
        return "point"
    # A feminine ordinal and a micro sign are letters, too.
    return "symbol" if character < "\u0250" else "rare"


def _frequency(character: str, name: str, category: str, script: Script) -> Script:
    """The script of a character, or that of its characters which tokenizers hardly know."""
    if script == "latin" and character >= "\u0250" and not "\u1e00" <= character <= "\u1eff":
        return "phonetic"
    if script == "greek" and character >= "\u1f00":
        return "point"
    if script == "cyrillic" and (category == "Lu" or not "\u0400" <= character <= "\u045f"):
        return "rare cyrillic"
    if script == "hangul" and not _is_in(character, "euc_kr", 0xFF):
        return "rare hangul"
    if name.startswith("FULLWIDTH") and category[0] in "LN":
        return "wide"
    is_ideograph = name.startswith("CJK") and category == "Lo"
    if is_ideograph and not any(_is_in(character, *level) for level in _LEVELS):
        return "rare" if character > "\uffff" else "rare cjk"
    return script


def _is_in(character: str, charset: str, end: int) -> bool:
    try:
        encoded = character.encode(charset)
        # Some character sets write a syllable as its parts.
        return len(encoded) <= 2 and encoded[0] < end
    except UnicodeEncodeError:
        return False


def tokens_beyond_ascii(text: str, family: Family) -> tuple[float, float, float]:
    """The tokens of characters beyond ASCII: the usual number, the lowest and the highest."""
    usual = low = high = 0.0
    weights = _WEIGHTS[family]
    for character, times in Counter(text).items():
        script = _script(character)
        each = weights[script]
        if script == "rare":
            times *= len(character.encode("utf-8", "surrogatepass"))
        usual += each[0] * times
        low += each[1] * times
        high += each[2] * times
    return usual, low, high


LETTER, CAPITAL, DIGIT, _SPACE, _LINE, _RARE_SPACE, _OTHER, _VOWEL = (1 << n for n in range(8))
WHITE_SPACE = _SPACE | _LINE | _RARE_SPACE
"""A white space character has one of these bits."""


def _kinds_of(byte: int) -> int:
    character = chr(byte)
    if byte >= 0x80:
        return _OTHER
    if character.isalpha():
        vowel = _VOWEL if character in "aeiouyAEIOUY" else 0
        return LETTER | vowel | (CAPITAL if character.isupper() else 0)
    if character.isdigit():
        return DIGIT
    return {" ": _SPACE, "\n": _LINE, "\t": _LINE}.get(character, 0) or (
        _RARE_SPACE if character in "\r\v\f" else 0
    )


KINDS = bytes(map(_kinds_of, range(256)))
"""The kinds of each byte of a text in UTF-8 as bits."""


@lru_cache(4096)
def _ones(size: int) -> int:
    return int.from_bytes(b"\1" * size, "little")


class Most(NamedTuple):
    """The most tokens of a letter, a digit and a white space character, on a text's average."""

    letter: float
    digit: float
    space: float


_PROSE = 0.295
"""The most tokens of a letter of English prose."""

_CODE = 0.76
"""The most tokens of a letter of words that are in no language."""

_ALTERNATING = 0.55
"""In prose of all languages so many neighbours are a vowel and a consonant, or more."""

_RANDOM = 0.36
"""The same of letters by chance."""

_FEW = 12
"""So few neighbours say nothing."""

_UNKNOWN = 0.6
_CASE_CHANGE = 0.45
_SPACE_BEFORE_WORD = 0.04


def most_tokens(text: bytes, rarity: float) -> Most:
    """The most tokens of letters and of white space, from all characters of a short text.

    Args:
        text: A text, or a sample of windows of it: UTF-8, in which bytes beyond ASCII count as
            letters of other scripts.
        rarity: What a letter has beyond one of English prose.
    """
    ones = _ones(len(text))
    kinds = int.from_bytes(text.translate(KINDS), "little")
    letters = kinds & ones
    before_letter = letters >> 8
    joined = letters & before_letter
    within = letters & letters << 8
    others = kinds >> 6 & ones
    starts = letters ^ within
    alone = starts & ~(before_letter | others >> 8 | others << 8)
    number = letters.bit_count()
    single = alone.bit_count()
    changes = ((kinds >> 7 ^ kinds >> 15) & joined).bit_count()
    weight = max(_PROSE + rarity, _by_sound(joined.bit_count(), changes, number))
    tokens = (number - single) * weight
    if capitals := kinds >> 1 & ones:
        # A capital within a word mostly begins a token.
        tokens += (capitals & within & ~(capitals << 8)).bit_count() * _CASE_CHANGE
    tokens = min(max(tokens + single, starts.bit_count()), number)
    digit = 1.0
    if digits := kinds >> 2 & ones:
        first = (digits ^ (digits & digits << 8)).bit_count()
        number_of_digits = digits.bit_count()
        # Three digits of a number are a token, and what is left of it.
        digit = (2 * first + number_of_digits) / 3 / number_of_digits
    space = _of_space(kinds, digits, ones)
    return Most(tokens / number if number else weight, digit, space)


def _by_sound(pairs: int, changes: int, letters: int) -> float:
    if pairs < _FEW:
        return _UNKNOWN if letters else 0.0
    strange = (_ALTERNATING - changes / pairs) / (_ALTERNATING - _RANDOM)
    return _PROSE + min(max(strange, 0.0), 1.0) * (_CODE - _PROSE)


def _of_space(kinds: int, digits: int, ones: int) -> float:
    """The most tokens of a white space character on the average."""
    spaces, lines, rare = (kinds >> shift & ones for shift in (3, 4, 5))
    number = spaces.bit_count() + lines.bit_count() + rare.bit_count()
    if not number:
        return 1.0
    # The first of several spaces, and those before a number or another white space.
    run = spaces & spaces >> 8
    apart = run & ~(spaces << 8)
    if others := digits | lines | rare:
        apart |= spaces & others >> 8
    line_run = (lines & lines >> 8).bit_count()
    whole = apart.bit_count() + lines.bit_count() - line_run
    if rare:
        whole += (rare & ~(lines >> 8)).bit_count()
    tokens = whole + line_run / 4 + (number - whole) * _SPACE_BEFORE_WORD
    return min(tokens / number, 1.0)
