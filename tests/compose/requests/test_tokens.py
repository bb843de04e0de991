from __future__ import annotations

import base64
import random
from collections.abc import Callable
from unittest.mock import patch

import pytest

from tui.compose.requests.body_checks import too_long_input
from tui.compose.requests.token_weights import Family
from tui.compose.requests.tokens import Tokens, tokens_of_texts

TEXT = "the quick brown fox jumps over a lazy dog while seven wizards brew potent coffee"
WORDS = TEXT.split()


def prose(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=9000))


def table(chance: random.Random) -> str:
    """Rows of 64 characters, so that each column is at the same place of every row."""
    return "".join(
        f"{' '.join(chance.choices(WORDS, k=8)):40.40}{chance.random():10.6f} {n:06d} ok;  \n"
        for n in range(900)
    )


def mixed(chance: random.Random) -> str:
    """Prose with a long number now and then."""
    return " ".join(
        word if chance.random() < 0.98 else "0123456789" * 20
        for word in chance.choices(WORDS, k=8000)
    )


def counted_whole(text: str, family: Family) -> Tokens:
    """The sum over pieces that are short enough to be counted whole, and none from a sample."""
    size = 30_000
    starts = range(0, len(text), size)
    with patch("tui.compose.requests.tokens._SEEN", size):
        pieces = [tokens_of_texts([text[at : at + size]], family) for at in starts]
    return Tokens(*map(sum, zip(*pieces, strict=True)))


@pytest.mark.parametrize("family", ["o200k", "other"])
@pytest.mark.parametrize("kind", [prose, table, mixed])
def test_the_bounds_of_a_long_text_hold_those_of_its_characters(
    monkeypatch: pytest.MonkeyPatch, kind: Callable[[random.Random], str], family: Family
) -> None:
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    monkeypatch.setattr("tui.compose.requests.tokens._has_words", lambda *_: True)
    for seed in range(20):
        text = kind(random.Random(seed))
        exact, found = counted_whole(text, family), tokens_of_texts([text], family)
        assert found.usual == exact.usual
        assert exact.low * 0.9 < found.low <= exact.low
        assert exact.high <= found.high < exact.high * 1.12


@pytest.mark.parametrize("family", ["o200k", "other"])
def test_digits_that_recur_in_a_long_text_are_all_counted(
    monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    """At whatever distance: a sample at equal distances may miss them."""
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    monkeypatch.setattr("tui.compose.requests.tokens._has_words", lambda *_: True)
    for distance in range(2, 300):
        row = "the review of " + "a quick fox " * 30
        row = row[: distance - distance // 2] + "0123456789" * 30
        text = row[:distance] * (200_000 // distance)
        assert counted_whole(text, family).high <= tokens_of_texts([text], family).high


@pytest.mark.parametrize("family", ["cl100k", "other"])
@pytest.mark.parametrize("rest", ["der schnelle Fuchs springt ", "9f86d081884c7d659a2feaa0c55ad0"])
def test_what_begins_in_english_is_not_taken_for_english(
    monkeypatch: pytest.MonkeyPatch, family: Family, rest: str
) -> None:
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    text = "the terms of this contract " * 400 + rest * 5000
    assert counted_whole(text, family).high <= tokens_of_texts([text], family).high


def test_an_input_is_too_long_only_if_all_its_characters_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    for distance in range(2, 200):
        # At least 0.55 tokens for each of 8,000 digits, and none for a space.
        text = ("7" + " " * (distance - 1)) * 8_000
        assert too_long_input({"input": text}, 5000) == ""
    assert "at least" in too_long_input({"input": "7 " * 20_000}, 5000)


def test_other_characters_of_a_long_text_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    text = "ж" * 50 + "a" * 100_000 + "語" * 7 + "\ud83d"
    assert tokens_of_texts([text], "o200k").usual == pytest.approx(
        25_000 + 50 * 0.3 + 7 * 0.75 + 1.3
    )


@pytest.mark.parametrize("family", ["cl100k", "other"])
def test_rows_of_several_languages_are_not_taken_for_english(
    monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    """Nor are rows of another language below English instructions."""
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    german = "der schnelle braune Fuchs springt immer wieder behende gegen einen faulen Hund. " * 8
    alone = tokens_of_texts([german], family)
    instructed = ["Say whether the review is good or bad, and nothing else: ", german] * 500
    assert tokens_of_texts(instructed, family).high >= 500 * alone.high
    english = "the quick brown fox jumps over the lazy dog, and then to a barn with a view. " * 8
    expected = 500 * (alone.high + tokens_of_texts([english], family).high)
    assert tokens_of_texts([english, german] * 500, family).high >= expected
    # English alone still has the closer bound.
    assert tokens_of_texts([english] * 500, family).high < 0.8 * 500 * alone.high


BYTES = random.Random(7).randbytes(3000)
UNUSUAL = {
    "letters apart": " ".join("the committee met on tuesday to discuss it" * 20),
    "digits apart": " ".join("31415926535897932384" * 40),
    "hexadecimal bytes": BYTES.hex(" "),
    "a dump": "\n".join(f"{n:08x}  {BYTES[n : n + 16].hex(' ')}" for n in range(0, 960, 16)),
    "base64": base64.b64encode(BYTES).decode(),
    "codes": " ".join(BYTES[n : n + 3].hex().upper() for n in range(0, 900, 3)),
    "abbreviations": "qty pcs kg mtr hrs wks mgr dept acct pymt rcvd shpd invc nbr addr blvd " * 30,
    "a chess game": "1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba4 Nf6 5. O-O Be7 6. Re1 b5 7. Bb3 d6 " * 30,
    "molecules": "CC(=O)Oc1ccccc1C(=O)O.CN1C=NC2=C1C(=O)N(C(=O)N2C)C " * 40,
    "a printed table": "\n".join(f"| a{n % 7} |  b | xq |   {n} |" for n in range(300)),
    "one figure a cell": ",".join(str(byte % 10) for byte in BYTES),
    "line ends of old Macs": "\r" * 2000,
    "white space": " \n\t\r" * 500,
    "camel case": "toHtmlOrXmlIfIsOkAndNoErInTheDb" * 60,
    "Finnish": "kun ihminen menee metsaan, hanen on muistettava ottaa mukaan vetta ja ruokaa " * 20,
    "Welsh": "aeth y bachgen bach i'r farchnad i brynu ffrwythau a llysiau ar gyfer ei deulu " * 20,
    "Pinyin": "wo bu neng deng lu wo de zhang hu, qing bang wo jie jue zhe ge wen ti " * 20,
    "names of drugs": "pembrolizumab nivolumab atezolizumab durvalumab ipilimumab trastuzumab "
    * 20,
    "Hebrew with points": "בְּרֵאשִׁית בָּרָא אֱלֹהִים אֵת הַשָּׁמַיִם " * 20,
    "Arabic with vowels": "بِسْمِ ٱللَّهِ ٱلرَّحْمَٰنِ ٱلرَّحِيمِ " * 20,
    "capitals of Russian": "НЕ МОГУ ВОЙТИ В СВОЙ АККАУНТ, ПОМОГИТЕ " * 30,
    "Tibetan": "ང་རང་གི་རྩིས་ཁྲ་ནང་འཛུལ་མི་ཐུབ། " * 20,
    "Cherokee": "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ " * 30,
    "Maldivian": "ދިވެހި ބަސް " * 40,
    "rare ideographs": "".join(chr(0x3400 + n * 7) for n in range(400)),
    "ideographs of names": "".join(chr(0x20000 + n * 31) for n in range(400)),
    "rare syllables": "".join(chr(0xAC00 + n * 13) for n in range(800)),
    "phonetic": "ˈðə kəˈmɪti mɛt ɒn ˈtjuːzdeɪ tə dɪsˈkʌs ðə prəˈpəʊzəl " * 30,
    "letters as symbols": "".join(chr(0x1D400 + n % 700) for n in range(900)),
    "marks above letters": "".join(f"{c}\u0301\u0323\u0308" for c in "zalgo text " * 40),
    "half width": "ｱｲｳｴｵｶｷｸｹｺ" * 50,
    "full width": "ＡＢＣＤ１２３４" * 50,
    "Braille": "".join(chr(0x2800 + n % 256) for n in range(500)),
    "of no use": "".join(chr(0xE000 + n) for n in range(400)),
}


COUNTED = {
    "letters apart": (840, 840),
    "digits apart": (1599, 1599),
    "hexadecimal bytes": (6281, 6281),
    "a dump": (2328, 2328),
    "base64": (2710, 2844),
    "codes": (1298, 1303),
    "abbreviations": (721, 691),
    "a chess game": (1530, 1620),
    "molecules": (1641, 1681),
    "a printed table": (4200, 4200),
    "one figure a cell": (5999, 5999),
    "line ends of old Macs": (1000, 2000),
    "white space": (1500, 1500),
    "camel case": (780, 720),
    "Finnish": (401, 602),
    "Welsh": (541, 621),
    "Pinyin": (441, 501),
    "names of drugs": (422, 562),
    "Hebrew with points": (761, 1161),
    "Arabic with vowels": (602, 841),
    "capitals of Russian": (661, 1021),
    "Tibetan": (920, 1300),
    "Cherokee": (870, 811),
    "Maldivian": (880, 880),
    "rare ideographs": (1198, 1194),
    "ideographs of names": (1580, 1583),
    "rare syllables": (1796, 2067),
    "phonetic": (1591, 1740),
    "letters as symbols": (2487, 2683),
    "marks above letters": (1760, 2640),
    "half width": (950, 1000),
    "full width": (350, 600),
    "Braille": (1486, 1489),
    "of no use": (1132, 1189),
}
"""The tokens of these texts by ``o200k_base`` and ``cl100k_base``, counted with rs-bpe 0.1."""


@pytest.mark.parametrize("name", UNUSUAL)
@pytest.mark.parametrize("tokenizer", ["o200k", "cl100k"])
def test_the_bound_of_unusual_texts_holds(
    monkeypatch: pytest.MonkeyPatch, name: str, tokenizer: Family
) -> None:
    text, counted = UNUSUAL[name], COUNTED[name][tokenizer == "cl100k"]
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    for family in (tokenizer, "other"):
        assert counted <= tokens_of_texts([text], family).high
        assert 40 * counted <= tokens_of_texts([text] * 40, family).high


def test_texts_of_a_letter_are_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of one letter are a token each, and not one word together."""
    monkeypatch.setattr("tui.compose.requests.tokens.counter_of", lambda _: None)
    assert tokens_of_texts(["a"] * 1000, "o200k").high >= 1000
