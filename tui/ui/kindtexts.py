"""The texts of a form while a person goes from one kind of request to another.

A prompt talks to a model; the text for ScaleDown, an embedding or a moderation is only what is
looked at. What is written for the one makes no sense for the other, so each keeps its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tui.compose.fields import FieldText
from tui.compose.template import Kind
from tui.errors import InputError
from tui.ui.templatetext import placeholder

_TALKS: frozenset[Kind] = frozenset({"chat", "messages", "responses", "completions"})
_LIKELY = ("text", "document", "content", "body", "review")
"""Names that the column with the text mostly has."""


@dataclass(frozen=True)
class Texts:
    """What stands in the two large fields of the form."""

    user: str = ""
    system: str = ""


class KindTexts:
    """Remembers what was written for kinds that talk and for those that do not."""

    def __init__(self) -> None:
        self._kept: dict[bool, Texts] = {}

    def clear(self) -> None:
        """Forget: another template is shown."""
        self._kept.clear()

    def changed(self, old: Kind, new: Kind, texts: Texts, columns: Sequence[str]) -> Texts:
        """What is to stand in the form when the kind changes.

        Args:
            old: The kind before.
            new: The kind that was chosen.
            texts: What stands there.
            columns: Those of the source.
        """
        talked, talks = old in _TALKS, new in _TALKS
        if talked != talks:
            self._kept[talked] = texts
            fitting = texts if talks else Texts(text_in(texts.user, columns))
            texts = self._kept.get(talks, fitting)
        if not talks and not texts.user.strip():
            return Texts(text_in("", columns), texts.system)
        return texts


def text_in(prompt: str, columns: Sequence[str]) -> str:
    """What of a prompt is the text itself: the columns in it, or the one that is likely meant."""
    named = _columns_in(prompt, columns)
    likely = [column for column in named or columns if column.lower() in _LIKELY]
    chosen = likely[:1] or named or ([*columns] if len(columns) == 1 else [])
    return "\n".join(placeholder(column, "") for column in chosen)


def _columns_in(prompt: str, columns: Sequence[str]) -> list[str]:
    """The columns that a prompt names, in their own order."""
    try:
        fields = FieldText(prompt, where="the prompt").fields
    except InputError:
        fields = frozenset()
    if not fields and "{" in prompt:
        # A template with logic: its names are words between braces.
        fields = frozenset(re.findall(r"[^\W\d][\w.]*", "".join(re.findall(r"\{.*?\}", prompt))))
    return [column for column in columns if column in fields]
