"""Which errors are the same: the message without its numbers and ids."""

from __future__ import annotations

import re

_LONGEST = 400

_PARTS = re.compile(
    r"""
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}   # a UUID
    | \b(?:req|batch|file|msg|org|chatcmpl|call|run)[-_][\w-]+       # an id with a prefix
    | \b(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\b                            # a hash
    | \d+(?:[.,:]\d+)*                                               # a number, a time
    """,
    re.VERBOSE | re.IGNORECASE,
)


def pattern_of(message: str) -> str:
    """The message with every id and number replaced by ``#``, cut at 400 characters."""
    return _PARTS.sub("#", message[:_LONGEST])
