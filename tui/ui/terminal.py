"""What the terminal around the program can show: its title, and notifications of the desktop."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Literal

from tui.core.text import one_line

Style = Literal["auto", "off", "osc9", "osc777"]

_BEL, _ST = "\x07", "\x1b\\"
_LONGEST = 160
_ASCII_HOSTILE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def known_style(environment: Mapping[str, str]) -> Style:
    """The notification that this terminal is known to understand; ``off`` where it is not known.

    iTerm2, WezTerm, Ghostty and kitty take OSC 9 (a text); foot and rxvt OSC 777 (title and
    text). Inside tmux and screen neither arrives without being set up, so none is sent.
    """
    if environment.get("TMUX") or environment.get("STY"):
        return "off"
    program, term = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    if program in ("iTerm.app", "WezTerm", "ghostty") or term in ("xterm-kitty", "xterm-ghostty"):
        return "osc9"
    if term.startswith(("foot", "rxvt")):
        return "osc777"
    return "off"


def safe(text: str) -> str:
    """A text that cannot end the sequence it stands in, nor begin another."""
    return _ASCII_HOSTILE.sub("", one_line(text, _LONGEST))


def notification(style: Style, title: str, text: str) -> str:
    """The escape sequence of a notification; empty for none."""
    if style == "osc9":
        # ConEmu and Windows Terminal take a leading digit and semicolon for another command.
        return f"\x1b]9;{safe(f'{title}: {text}')}{_BEL}"
    if style == "osc777":
        title, text = (safe(part).replace(";", ",") for part in (title, text))
        return f"\x1b]777;notify;{title};{text}{_ST}"
    return ""


class Terminal:
    """Says things to the terminal that are not on its screen.

    Args:
        write: Sends a sequence, in order with what is painted.
        environment: Tells which terminal it is.
    """

    def __init__(
        self, write: Callable[[str], object], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._write = write
        self._known = known_style(environment)
        self._title: str | None = None

    def set_title(self, text: str) -> None:
        """Show a title; the one from before the program comes back with ``restore_title``."""
        if text == self._title:
            return
        if self._title is None:
            self._write("\x1b[22;2t")
        self._title = text
        self._write(f"\x1b]2;{safe(text)}{_BEL}")

    def restore_title(self) -> None:
        """Show the title from before the program."""
        if self._title is not None:
            self._title = None
            self._write("\x1b[23;2t")

    def notify(self, style: Style, title: str, text: str) -> None:
        """Show a notification of the desktop, where that is wanted and known to work."""
        sequence = notification(self._known if style == "auto" else style, title, text)
        if sequence:
            self._write(sequence)
