"""Counting words in answers."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")

_SAYING_LITTLE = (
    "a about after all also an and any are as at be because been but by can could did do does"
    " for from had has have he her his how i if in into is it its just may more most my no not"
    " of on one or other our out over own she should so some such than that the their them then"
    " there these they this those to too up very was we were what when which who will with would"
    " you your"
)

STOP_WORDS = frozenset(_SAYING_LITTLE.split())
"""English words that say little by themselves; left out of a count only when asked."""


def words_of(text: str, stop: frozenset[str] = frozenset()) -> list[str]:
    """The words of a text, folded to one case, without those of a stop list."""
    found = _WORD.findall(text.casefold())
    return [word for word in found if word not in stop] if stop else found
