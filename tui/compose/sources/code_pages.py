"""Tell the code page of a text that is not Unicode, by which reading makes sense.

The text is decoded with each code page. East Asian ones are told by the share of their common
characters, the others by their letters: usual ones of a language, in words of one script, small
letters after small letters, signs beside words and not inside them.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

NAMES = {
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1253": "Windows-1253",
    "cp1254": "Windows-1254",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
    "cp874": "Windows-874",
    "cp850": "code page 850 (DOS)",
    "cp866": "code page 866 (DOS)",
    "latin-1": "Latin-1",
    "iso8859-2": "Latin-2",
    "iso8859-5": "ISO 8859-5",
    "koi8-u": "KOI8",
    "mac-roman": "Mac Roman",
    "mac-cyrillic": "Mac Cyrillic",
    "cp932": "Shift JIS",
    "euc-jp": "EUC-JP",
    "gb18030": "GB 18030",
    "big5": "Big5",
    "cp949": "EUC-KR",
}
"""How the code pages are called, for display."""


class CodePage(NamedTuple):
    """A code page, and how well a text reads in it: 1 is perfect, 0 or less is unlikely."""

    encoding: str
    score: float


def best_code_page(sample: bytes, fits: Callable[[str], bool]) -> CodePage:
    """The code page in which a text reads best; Windows-1252 or Latin-1 if it reads in none.

    Args:
        sample: Lines of the text that are not ASCII only.
        fits: Whether the whole text can be decoded with an encoding.
    """
    found = [CodePage(name, _east_asian(sample, name)) for name in _COMMON]
    found = [page for page in found if page.score >= _LEAST_COMMON]
    # The first, which is by far the most frequent, is left only for what reads clearly better.
    letters = sum(byte > 0x7F for byte in sample)
    handicap = _HANDICAP + _DOUBT_OF_FEW / max(letters, 1)
    singles = [
        CodePage(name, _letters(sample, name) - handicap * (place > 0))
        for place, name in enumerate(_LANGUAGES)
    ]
    for page in sorted(found + singles, key=lambda page: -page.score):
        if page.score > 0 and fits(page.encoding):
            return page
    return CodePage("cp1252" if fits("cp1252") else "latin-1", 0.0)


_HANDICAP = 0.1
_DOUBT_OF_FEW = 0.3
_LEAST_COMMON = 0.75

_COMMON: dict[str, Callable[[str, bytes], bool]] = {
    # Kana, and characters of JIS level 1 (rows 16 to 47).
    "cp932": lambda char, code: char >= "\u3040" and code[0] <= 0x97,
    "euc-jp": lambda char, code: char >= "\u3040" and code[0] in (0xA4, 0xA5, *range(0xB0, 0xD0)),
    # The Hangul of KS X 1001.
    "cp949": lambda char, code: 0xB0 <= code[0] <= 0xC8 and code[1] >= 0xA1,
    # The common characters come first in both standards.
    "gb18030": lambda char, code: len(code) == 2 and 0xB0 <= code[0] <= 0xD7 and code[1] >= 0xA1,
    "big5": lambda char, code: 0xA4 <= code[0] <= 0xC6,
}  # fmt: skip
_KANA = re.compile("[\u3040-\u30ff]")
_SIGNS = re.compile("[\u3000-\u303f\uff00-\uffef·“”‘’…—]")


def _east_asian(sample: bytes, encoding: str) -> float:
    """The share of common characters, if the text consists of runs of such characters."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    # Half-width kana are single bytes, as are the letters of all other code pages.
    wide = [char for char in text if char > "\x7f" and not "\uff61" <= char <= "\uff9f"]
    narrow = sum("\uff61" <= char <= "\uff9f" for char in text)
    counted = [char for char in wide if not _SIGNS.match(char)]
    if len(counted) < 2:
        return 0.0
    common = _COMMON[encoding]
    share = sum(common(char, char.encode(encoding)) for char in counted) / (len(counted) + narrow)
    kana = sum(map(bool, map(_KANA.match, counted))) / len(counted)
    if encoding in ("cp932", "euc-jp"):
        share *= min(1.0, 0.8 + kana)
    elif kana > 0.2:
        return 0.0
    # In other texts such characters stand alone, between letters of ASCII.
    runs = len(re.findall("[^\x00-\x7f]+", text))
    inside = len(re.findall("[a-z][^\x00-\x7f][a-z]", text))
    return share if inside * 4 < runs else 0.0


_WESTERN: tuple[tuple[str, str], ...] = (
    ("äöüß", "é"),
    ("éèàç", "êâîôûëïùœ"),
    ("áéíóúñ", "ü"),
    ("ãçáéíóêõ", "âôàúü"),
    ("åäöæø", "éáíðþóú"),
    ("àèéìòù", ""),
    ("", "äöüßéèêàçñáíóúâîôûëïåæøãõìòùœÿ"),
)
_CENTRAL: tuple[tuple[str, str], ...] = (
    ("ąęłóśżć", "ńź"),
    ("áíéěřžšč", "ýůúťďňó"),
    ("áéíóöőúüű", ""),
    ("ăâîșţş", ""),
    ("čćšžđ", ""),
    ("áéíóúýčšžľ", "ťďňôäĺŕ"),
    ("", "ąćęłńóśźżáčďéěíňřšťúůýžäöüßőűľĺŕôăâîșţ"),
)
_CYRILLIC = (("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ", ""),)
_LANGUAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "cp1252": _WESTERN,
    "mac-roman": _WESTERN,
    "cp850": _WESTERN,
    "cp1250": _CENTRAL,
    "iso8859-2": _CENTRAL,
    "cp1254": (("çğıİöşü", "âî"),),
    "cp1251": _CYRILLIC,
    "koi8-u": _CYRILLIC,
    "cp866": _CYRILLIC,
    "iso8859-5": _CYRILLIC,
    "mac-cyrillic": _CYRILLIC,
    "cp1253": (("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώ", "ϊϋΐΰ"),),
    "cp1255": (("אבגדהוזחטיךכלםמןנסעףפץצקרשת", ""),),
    "cp1256": (("ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءآأؤإئپچژگ،؟", ""),),
    "cp874": (("".join(map(chr, range(0xE01, 0xE5C))), ""),),
}
"""The usual and the rarer letters of the languages of a code page."""

_FREQUENT = frozenset("оеаинтсрвлкєіαοιετσνηυρπκάיוהלאתרשמבاليمنوتربةعدسานรอกเงมยลวดทสต่้")
"""The most frequent letters of other scripts than Latin; two of three letters are among them."""

_OPENING, _CLOSING = "“„‘«‹¿¡([", "”’»›…)]"
_MONEY = "€£¥$"


def _letters(sample: bytes, encoding: str) -> float:
    """How well a text reads in the language of a code page that suits it best."""
    try:
        text = f" {codecs.decode(sample, encoding)} "
    except UnicodeDecodeError:
        return -9.0
    places = [place for place, char in enumerate(text) if char > "\x7f"]
    triples = Counter(text[place - 1 : place + 2] for place in places)
    is_latin = _LANGUAGES[encoding] in (_WESTERN, _CENTRAL) or encoding == "cp1254"
    best = -9.0
    for usual, rare in _LANGUAGES[encoding]:
        weights = dict.fromkeys(rare + rare.upper(), _RARE)
        weights |= dict.fromkeys(usual + usual.upper(), 1.0)
        points = sum(
            times * _plausible(triple, weights, latin=is_latin) for triple, times in triples.items()
        )
        best = max(best, points / max(len(places), 1))
    if is_latin or best <= 0:
        return best
    written = [text[place] for place in places if text[place].isalpha()]
    frequent = sum(char.lower() in _FREQUENT for char in written)
    best *= min(1.0, 0.4 + 1.1 * frequent / max(len(written), 1))
    # Few texts are in capital letters only; read in a wrong code page, many seem to be.
    return best * 0.8 if 2 * sum(map(str.isupper, written)) > len(written) else best


_RARE = 0.8


def _plausible(triple: str, weights: Mapping[str, float], *, latin: bool) -> float:
    """How plausible a character is between its neighbours, from -1 to 1."""
    before, char, after = triple[0], triple[1], triple[2]
    if char < "\xa0":
        return -1.0
    if char.isalpha() or char in weights:
        if not latin and (_is_ascii_letter(before) or _is_ascii_letter(after)):
            return -1.0
        if char.isupper() and before.islower():
            return -1.0
        if before.isdigit() or after.isdigit() or char not in weights:
            return -0.5
        if char.isupper() and after.islower() and before.isalpha():
            return -0.5
        if latin and min(before, after) > "\x7f" and before.isalpha() and after.isalpha():
            return -0.3
        alone = not before.isalpha() and not after.isalpha()
        return 0.2 if alone else weights[char]
    inside = before.isalpha() and after.isalpha()
    if char == "’":
        return 1.0 if before.isalpha() else 0.0
    if char in _OPENING:
        if char == "«" and before.isspace() and after.isspace():
            return 0.3
        return 0.9 if not before.isalnum() and not after.isspace() else -0.5
    if char in _CLOSING:
        if char == "»" and before.isspace():
            return 0.3
        return 0.9 if not before.isspace() and not after.isalnum() else -0.5
    if char in _MONEY:
        if any(each.isdigit() or each == " " for each in before + after):
            return 0.9
        return -0.7 if before.isalpha() or after.isalpha() else 0.3
    if char in "–—\xa0":
        return -0.5 if inside and char != "—" else 0.6
    if char in "°²³½¼×±§®™©•·":
        return -0.8 if inside else 0.4
    return -1.0 if inside else -0.2


def _is_ascii_letter(char: str) -> bool:
    return char.isascii() and char.isalpha()
