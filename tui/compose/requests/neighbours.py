"""How many tokens letters and spaces have at most, by what stands beside them.

A letter of a word has a third of a token or less, one that stands alone has a whole one, and so
have digits where the tokenizer joins them. A space
is part of the token of the word behind it, but not of a number, and not in a longer run of white
space. Words of a language change between vowels and consonants, codes and abbreviations do not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_LETTER, _CAPITAL, _DIGIT, _SPACE, _LINE, _RARE_SPACE, _OTHER, _VOWEL = (1 << n for n in range(8))


def _kinds_of(byte: int) -> int:
    character = chr(byte)
    if byte >= 0x80:
        return _OTHER
    if character.isalpha():
        vowel = _VOWEL if character in "aeiouyAEIOUY" else 0
        return _LETTER | vowel | (_CAPITAL if character.isupper() else 0)
    if character.isdigit():
        return _DIGIT
    return {" ": _SPACE, "\n": _LINE, "\t": _LINE}.get(character, 0) or (
        _RARE_SPACE if character in "\r\v\f" else 0
    )


_KINDS = bytes(map(_kinds_of, range(256)))


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
    kinds = int.from_bytes(text.translate(_KINDS), "little")
    letters = kinds & ones
    capitals = kinds >> 1 & ones
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
    # A capital within a word mostly begins a token.
    rising = capitals & within & ~(capitals << 8)
    tokens = (number - single) * weight + rising.bit_count() * _CASE_CHANGE
    tokens = min(max(tokens + single, starts.bit_count()), number)
    digits = kinds >> 2 & ones
    first = (digits ^ (digits & digits << 8)).bit_count()
    number_of_digits = digits.bit_count()
    # Three digits of a number are a token, and what is left of it.
    digit = (2 * first + number_of_digits) / 3 / number_of_digits if number_of_digits else 1.0
    return Most(tokens / number if number else weight, digit, _of_space(kinds, ones))


def _by_sound(pairs: int, changes: int, letters: int) -> float:
    if pairs < _FEW:
        return _UNKNOWN if letters else 0.0
    strange = (_ALTERNATING - changes / pairs) / (_ALTERNATING - _RANDOM)
    return _PROSE + min(max(strange, 0.0), 1.0) * (_CODE - _PROSE)


def _of_space(kinds: int, ones: int) -> float:
    """The most tokens of a white space character on the average."""
    spaces, lines, rare = (kinds >> shift & ones for shift in (3, 4, 5))
    number = spaces.bit_count() + lines.bit_count() + rare.bit_count()
    if not number:
        return 1.0
    digits = kinds >> 2 & ones
    # The first of several spaces, and those before a number or another white space.
    run = spaces & spaces >> 8
    apart = (spaces & (digits | lines | rare) >> 8) | (run & ~(spaces << 8))
    line_run = (lines & lines >> 8).bit_count()
    whole = apart.bit_count() + lines.bit_count() - line_run
    whole += (rare & ~(lines >> 8)).bit_count()
    tokens = whole + line_run / 4 + (number - whole) * _SPACE_BEFORE_WORD
    return min(tokens / number, 1.0)
