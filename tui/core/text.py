r"""Making foreign text safe to show.

Ids, prompts, answers and error messages come from files and from models. On a terminal they
may move the cursor, set the title, reverse the reading order or hide characters. Everything
that reaches the terminal goes through ``visible`` or ``one_line``.
"""

from __future__ import annotations

import re

_HOSTILE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: ESC, CSI, OSC and the rest
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, fillers, marks
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, separators, bidi
    "\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff"  # lone surrogates: cannot be encoded
    "\U000e0000-\U000e0fff"  # tags
    "]"
)
_HOSTILE_BUT_NEWLINE = re.compile(_HOSTILE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPACES = re.compile(r"\s+")


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if code < 0xA0:
        return _SHORT.get(character) or f"\\x{code:02x}"
    return f"⟨U+{code:04X}⟩"


def visible(text: str, *, newlines: bool = False) -> str:
    r"""The text with everything that acts on a terminal, or hides, written out.

    Control characters become ``\x1b``, ``\n`` and so on; bidi overrides, zero-width
    characters, line separators and lone surrogates become ``⟨U+202E⟩``. The result can
    always be encoded and has the same number of lines as it shows.

    Args:
        text: Any text.
        newlines: Keep line feeds (``\r\n`` becomes one) and turn tabs into four spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    if not newlines:
        return _HOSTILE.sub(_escaped, text)
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    return _HOSTILE_BUT_NEWLINE.sub(_escaped, text)


def shortened(text: str, width: int) -> str:
    """At most ``width`` characters of the text; a cut is shown by an ellipsis."""
    if len(text) <= width:
        return text
    return text[: max(width - 1, 0)] + "…" if width > 0 else ""


def one_line(text: str, width: int) -> str:
    """The start of a text on one line of at most ``width`` characters.

    Runs of white space become one space; the rest is as in ``visible``.
    """
    window = 4 * width + 64
    head = visible(_SPACES.sub(" ", text[:window]).strip())
    if len(text) > window and text[window:].strip() and len(head) <= width:
        head += "…"
    return shortened(head, width)


def quoted(text: str, width: int = 60) -> str:
    """The text in single quotes, visible and cut at ``width`` characters, for messages."""
    return f"'{shortened(visible(text[: width + 1]), width)}'"
