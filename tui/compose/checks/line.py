"""Check one request line in full: what it requests, and all of its problems."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from tui.compose.requests.prompts import (
    MESSAGES_URL,
    Endpoint,
    OwnRow,
    ReportProblem,
    check_prompt,
    endpoint_of,
    is_translated,
    json_type,
    own_row,
)
from tui.compose.requests.report import Problem, ProblemCode, Severity
from tui.compose.requests.rules import ProviderRules, RequestLimits
from tui.core.json_path import noting_repeated
from tui.core.text import BLANKS, BOM, quoted
from tui.errors import InputError

_decode = msgspec.json.Decoder().decode
_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class CheckedLine(NamedTuple):
    """The content of one line.

    ``custom_id`` is ``None`` if it is missing or unusable; so is ``body``.
    """

    problems: list[Problem]
    custom_id: str | None = None
    endpoint: str | None = None
    model: str | None = None
    body: dict[str, Any] | None = None
    blank: bool = False
    ready_made: bool = False


class LineChecker:
    """Checks lines one by one: exact, never raises, slower than typed decoding.

    Args:
        limits: The limits for ids and bodies.

    Attributes:
        id_matches: Matches an id with the provider's pattern; ``None`` without one.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._rules = ProviderRules(limits)
        self.id_matches = (
            re.compile(limits.custom_id_pattern).fullmatch if limits.custom_id_pattern else None
        )

    def explain(self, line: bytes, number: int) -> CheckedLine:
        r"""Check one line, without its ``\n``; ``number`` counts from 1."""
        problems: list[Problem] = []

        def add_problem(
            code: ProblemCode, what: str, fix: str, severity: Severity = "error"
        ) -> None:
            problems.append(Problem(line=number, code=code, severity=severity, what=what, fix=fix))

        if line.startswith(BOM):
            add_problem(
                "bom",
                "the line starts with a byte order mark",
                "Fixing the file removes it.",
                "fixable",
            )
            line = line[len(BOM) :]
        if not line.strip(BLANKS):
            what = "NUL bytes instead of a row" if b"\x00" in line else "blank line"
            add_problem("blank_line", what, "Fixing the file removes it.", "fixable")
            return CheckedLine(problems, blank=True)
        try:
            line.decode()
        except UnicodeDecodeError as error:
            add_problem(
                "not_utf8",
                f"not UTF-8: byte 0x{line[error.start]:02x} at offset {error.start} of the line",
                f"Save the file as UTF-8; it looks like {_encoding_of(line)}.",
            )
            return CheckedLine(problems)
        try:
            row = _parse(line)
        except (ValueError, RecursionError) as error:
            add_problem("not_json", *_describe_json_error(line, error))
            return CheckedLine(problems)
        if not isinstance(row, dict):
            add_problem(
                "not_object",
                f"{json_type(row)} instead of a request object",
                'Write {"custom_id": …, "method": "POST", "url": …, "body": {…}} on one line.',
            )
            return CheckedLine(problems)
        for problem in _unclear_values(line, row):
            add_problem(*problem)
        own = own_row(row, number)
        if own is not None:
            return self._own_row(own, line, problems, add_problem)
        custom_id = self._custom_id(row, add_problem)
        ready_made = "params" in row and row.get("body") is None
        url = MESSAGES_URL if ready_made else _route(row, add_problem)
        endpoint = endpoint_of(url) if url else Endpoint()
        body = row.get("params" if ready_made else "body")
        if not isinstance(body, dict):
            name = "params" if ready_made else "body"
            what = (
                f'no "{name}"' if body is None else f'"{name}" is {json_type(body)}, not an object'
            )
            add_problem("no_body", what, f'Put the request in "{name}", as an object.')
            return CheckedLine(problems, custom_id, url)
        model = self._check_body(body, url, endpoint, line, problems, add_problem)
        return CheckedLine(problems, custom_id, url, model, body, ready_made=ready_made)

    def _own_row(
        self,
        own: OwnRow,
        line: bytes,
        problems: list[Problem],
        add_problem: ReportProblem,
    ) -> CheckedLine:
        """Check a row of the own form of Gemini, Vertex AI or Bedrock."""
        url, body = own.url, own.body
        custom_id = self._custom_id({"custom_id": own.custom_id}, add_problem)
        model = self._check_body(body, url, endpoint_of(url), line, problems, add_problem)
        return CheckedLine(problems, custom_id, url, model, body, ready_made=True)

    def _check_body(
        self,
        body: dict[str, Any],
        url: str | None,
        endpoint: Endpoint,
        line: bytes,
        problems: list[Problem],
        add_problem: ReportProblem,
    ) -> str | None:
        """Check the body of a request; returns its model."""
        model = _model(body, endpoint, add_problem)
        check_prompt(body, url or "", endpoint, model, add_problem)
        for code, what, fix, severity in self._rules.violations(body, model, url or ""):
            add_problem(code, what, fix, severity)
        if body.get("stream") not in (None, False):
            add_problem(
                "stream",
                '"stream" is set, but streaming is not supported',
                'Remove "stream" from the body.',
            )
        validate = self._limits.check_line
        checks = self._limits.checks_messages or is_translated(url)
        if validate is not None and checks and not has_errors(problems):
            try:
                validate(line)
            except InputError as error:
                add_problem("untranslatable", error.message, error.hint)
        return model

    def _custom_id(self, row: dict[str, Any], add_problem: ReportProblem) -> str | None:
        value = row.get("custom_id")
        if value is None or value == "":
            what = '"custom_id" is empty' if value == "" else 'no "custom_id"'
            add_problem("no_custom_id", what, 'Give every request a unique "custom_id".')
            return None
        if not isinstance(value, str):
            add_problem(
                "bad_custom_id",
                f'"custom_id" is {json_type(value)}, not a string',
                'Write the "custom_id" in double quotes.',
            )
            return None
        fault = self.id_fault(value)
        if fault is not None:
            add_problem("bad_custom_id", *fault)
        return value

    def id_fault(self, custom_id: str) -> tuple[str, str] | None:
        """Return what is wrong with an id and how to fix it, or ``None``."""
        longest = self._limits.custom_id_max
        size = len(custom_id.encode("utf-8", "surrogatepass"))
        if longest and size > longest:
            return (
                f"custom_id {quoted(custom_id)} has {size} bytes; the limit is {longest}",
                "Shorten it, or renumber the ids.",
            )
        if self.id_matches is not None and self.id_matches(custom_id) is None:
            return (
                f"custom_id {quoted(custom_id)} does not match {self._limits.custom_id_pattern}",
                "Use other characters, or renumber the ids.",
            )
        return None


def has_errors(problems: list[Problem]) -> bool:
    """Whether one of the problems is an error."""
    return any(problem.severity == "error" for problem in problems)


def _parse(line: bytes) -> Any:
    try:
        return _decode(line)
    except msgspec.ValidationError:
        # Valid JSON with a number that exceeds a float; typed decoding skips such values.
        return json.loads(line)


def _unclear_values(line: bytes, row: Any) -> Iterator[tuple[ProblemCode, str, str, Severity]]:
    """Yield what JSON programs read differently: a name that is there twice, and 1E400."""
    # Each name has a colon, and so may the texts have; a name that was dropped takes its own along.
    # A number without an end is written as null.
    written = msgspec.json.encode(row)
    if line.count(b":") == written.count(b":") and line.count(b"null") == written.count(b"null"):
        return
    found: list[str] = []
    too_large: list[str] = []

    def number(digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            too_large.append(digits)
        return value

    try:
        json.loads(line, object_pairs_hook=noting_repeated(found), parse_float=number)
    except (ValueError, RecursionError):
        return
    if found:
        names = ", ".join(quoted(name, 40) for name in dict.fromkeys(found))
        yield (
            "repeated_name",
            f"an object has a name twice: {names}",
            "Delete one of them: which one counts differs between programs.",
            "error",
        )
    if too_large:
        yield (
            "number_range",
            f"the number {too_large[0][:40]} is too large for a float",
            "Write a number that is at most 1.8e308, or a text.",
            "warning",
        )


def _describe_json_error(line: bytes, error: Exception) -> tuple[str, str]:
    if isinstance(error, RecursionError):
        return "not readable: the JSON is nested too deeply", "Flatten the request."
    reason = str(error).removeprefix("JSON is malformed: ")
    what = f"not JSON: {reason}"
    text = line.strip()
    if re.search(rb"[:\[,]\s*-?(NaN|Infinity)\b", text):
        return what, "NaN and Infinity are not JSON; write null or a number."
    if re.search(rb"\\u[dD][89a-fA-F]", text):
        return what, "Replace the lone surrogate (\\ud800 to \\udfff)."
    if text.startswith(b"{'"):
        return what, "Use double quotes (a JSON library writes them)."
    if text in (b"[", b"{", b"]", b"}") or "truncated" in reason:
        return what, "Write each request on a single line."
    return what, "Fix the line (a JSON library writes it correctly)."


def _encoding_of(line: bytes) -> str:
    if line[:2] in _ENCODINGS or b"\x00" in line:
        return "UTF-16"
    return "Latin-1 or Windows-1252"


def _route(row: dict[str, Any], add_problem: ReportProblem) -> str | None:
    method = row.get("method")
    if method is None:
        add_problem("no_method", 'no "method"', 'Add "method": "POST".')
    elif method != "POST":
        shown = quoted(method, 20) if isinstance(method, str) else json_type(method)
        add_problem("bad_method", f'"method" is {shown}, not POST', 'Write "method": "POST".')
    url = row.get("url")
    if isinstance(url, str) and url:
        return url
    what = 'no "url"' if url is None else '"url" is empty' if url == "" else '"url" is not a string'
    add_problem("no_url", what, 'Add the endpoint, such as "url": "/v1/chat/completions".')
    return None


def _model(body: dict[str, Any], endpoint: Endpoint, add_problem: ReportProblem) -> str | None:
    model = body.get("model")
    if isinstance(model, str) and model:
        return model
    if model is None and not endpoint.needs_model:
        return None
    what = "no model" if model in (None, "") else f'"model" is {json_type(model)}, not a string'
    add_problem("no_model", what, 'Add "model" to the body.')
    return None
