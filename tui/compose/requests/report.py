"""The result of a check: problems with line numbers, and the figures of the file."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "fixable", "warning"]
ProblemCode = Literal[
    "empty_file",
    "other_form",
    "not_utf8",
    "bom",
    "crlf",
    "blank_line",
    "not_json",
    "not_object",
    "repeated_name",
    "number_range",
    "no_custom_id",
    "duplicate_custom_id",
    "bad_custom_id",
    "no_method",
    "bad_method",
    "no_url",
    "unknown_endpoint",
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
    "too_few_rows",
    "too_many_rows",
    "too_large",
    "line_too_long",
]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem of a requests file.

    ``line`` counts from 1; ``None`` for a problem of the file as a whole. ``error`` and
    ``fixable`` prevent a submit; a ``fixable`` problem can be fixed without changing any
    request. A ``warning`` prevents nothing. ``what`` says what is wrong, ``fix`` what to do.
    """

    line: int | None
    code: ProblemCode
    severity: Severity
    what: str
    fix: str


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of checking a requests file.

    ``problems`` holds the first few of each code (see ``SHOWN_PER_CODE``); ``found`` counts
    all of them by code. ``endpoints`` and ``models`` map names to rows. ``input_tokens`` is an
    estimate, about one token per four characters. ``size`` and ``longest_line`` are in bytes.
    ``stops`` and ``fixable`` count the errors and the fixable problems. ``form`` names what the
    file is if it is not a file of requests (see ``recognize``); it was then not read further.
    ``repeats`` counts the rows that ask for the same as an earlier row, if they were looked for.
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
    form: str = ""
    repeats: int = 0

    @property
    def ok(self) -> bool:
        """Whether the file can be submitted unchanged."""
        return self.stops == 0 and self.fixable == 0

    @property
    def ok_when_fixed(self) -> bool:
        """Whether the file can be submitted once its fixable problems are fixed."""
        return self.stops == 0


SHOWN_PER_CODE = 20
"""How many problems of each code and severity are listed; the rest are only counted."""
