"""What a check found: problems with line numbers, and the figures of the file."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "fixable", "warning"]
ProblemCode = Literal[
    "empty_file",
    "not_utf8",
    "bom",
    "crlf",
    "blank_line",
    "not_json",
    "not_object",
    "no_custom_id",
    "duplicate_custom_id",
    "bad_custom_id",
    "no_method",
    "bad_method",
    "no_url",
    "mixed_endpoints",
    "mixed_models",
    "no_body",
    "no_model",
    "no_messages",
    "empty_prompt",
    "bad_role",
    "bad_item",
    "stream",
    "unknown_model",
    "refused_field",
    "missing_field",
    "untranslatable",
    "odd_size",
    "too_many_rows",
    "too_large",
    "line_too_long",
]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem of a file of requests.

    ``line`` counts from 1, ``None`` when the file as a whole is meant. ``error`` and
    ``fixable`` stop a submit; a ``fixable`` one is mended without changing any request.
    ``warning`` stops nothing.
    """

    line: int | None
    code: ProblemCode
    severity: Severity
    what: str
    fix: str


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one streaming pass over a file of requests.

    ``problems`` holds the first ones of each code (see ``SHOWN_PER_CODE``); ``found`` counts
    them all. ``endpoints`` and ``models`` count rows. ``input_tokens`` is an estimate, about
    a token for four characters. ``size`` is in bytes.
    """

    path: str
    size: int
    rows: int
    endpoints: dict[str, int]
    models: dict[str, int]
    problems: tuple[Problem, ...]
    found: dict[str, int]
    input_tokens: int
    longest_line: int = 0
    stops: int = 0
    fixable: int = 0

    @property
    def ok(self) -> bool:
        """Can the file be submitted as it is?"""
        return self.stops == 0 and self.fixable == 0

    @property
    def ok_when_fixed(self) -> bool:
        """Can it be submitted after the fixes that change no request?"""
        return self.stops == 0


SHOWN_PER_CODE = 20
"""How many problems of one kind are listed; the rest is only counted."""
