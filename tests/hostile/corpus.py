"""Texts that control terminals, are invisible, or break parsers."""

from __future__ import annotations

import re

ESCAPES = {
    "colour": "\x1b[31;5mred\x1b[0m",
    "clear": "\x1b[2J\x1b[H\x1b[3Jgone",
    "cursor": "up\x1b[10A\x1b[2Koverwritten",
    "title": "\x1b]0;owned\x07after",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07after",
    "clipboard st": "\x1b]52;c;cm0gLXJmIH4=\x1b\\after",
    "link": "\x1b]8;;http://evil.example/\x1b\\click\x1b]8;;\x1b\\",
    "dcs": '\x1bP$q"p\x1b\\after',
    "sixel": "\x1bPq#0;2;0;0;0#0!9~\x1b\\after",
    "apc": "\x1b_Gf=24;AAAA\x1b\\after",
    "report": "\x1b[6n\x1b[c\x1b]11;?\x07",
    "alternate screen": "\x1b[?1049hhidden\x1b[?1049l",
    "mouse": "\x1b[?1003h\x1b[?2004h",
    "charset": "\x1b(0lqqqk\x0f",
    "c1 csi": "\x9b31mred\x9d0;owned\x9c",
    "backspace": "safe\x08\x08\x08\x08evil",
    "carriage return": "safe text\revil",
    "bell and more": "\x07\x0b\x0c\x0e\x7f",
    "nul": "before\x00after",
}
MARKUP = {
    "rich": "[bold red]x[/bold red] [link=http://evil.example]y[/link] [/]",
    "textual": "[@click=app.quit]press[/] [$error]z[/] [[[ ]]] \\[",
    "open": "[red",
    "jinja": "{{ 7*7 }} {% for x in y %} ${HOME} $(id) `id`",
}
HIDING = {
    "bidi": "user\u202enimda\u202c \u2066x\u2069 \u200fy",
    "zero width": "pay\u200bpal\u200c\u200d\ufeff \u2060\u00ad",
    "tags": "hi\U000e0041\U000e0042\U000e007f",
    "lines": "one\u2028two\u2029three\x85four\nfive\r\nsix",
    "fillers": "\u3164\u115f\uffa0",
    "combining": "z" + "\u0301" * 200,
    "wide": "日本語" * 20 + "👩‍👩‍👧‍👦",
}
FORMULAS = {
    name: text
    for name, text in {
        "equals": "=cmd|' /C calc'!A0",
        "plus": "+1+1",
        "minus": "-2+3+cmd|' /C calc'!A0",
        "at": "@SUM(1+1)*cmd|' /C calc'!A0",
        "tab": "\t=1+1",
        "return": "\r=1+1",
        "newline": "\n=1+1",
        "full width": "＝1+1",
        "quotes": '","=1+1","',
    }.items()
}
TEXTS = {**ESCAPES, **MARKUP, **HIDING, **FORMULAS}

_FAMILY = re.compile("(?<=[\U0001f300-\U0001faff])\u200d(?=[\U0001f300-\U0001faff])")
_ALLOWED = re.compile(r"\x1b\[[0-9;]*m|\x1b\[[0-9]*K|\x1b\[J|\x1b\[[0-9]*F|\x1b\[\?25[hl]|\r|\n|\t")
_RAW = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def raw_in(shown: str) -> list[str]:
    """The characters in the output of a program that control a terminal or are invisible.

    Colours, line ends, the sequences of a progress bar, and what joins two emoji are allowed.
    """
    left = _FAMILY.sub("", _ALLOWED.sub("", shown))
    return [f"{left[max(m.start() - 20, 0) : m.end() + 20]!r}" for m in _RAW.finditer(left)]
