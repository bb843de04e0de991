"""One request line looked at closely: what it asks for, and everything that is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tui.compose.endpoints import MESSAGES_URL, Endpoint, endpoint_of, is_translated
from tui.compose.limits import Limits
from tui.compose.prompts import Found, kind_of, look_at_prompt
from tui.compose.report import Problem, ProblemCode, Severity
from tui.compose.rules import Rules
from tui.core.lines import BOM
from tui.core.text import quoted
from tui.errors import InputError

_decode = msgspec.json.Decoder().decode
_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Explained(NamedTuple):
    """What one line holds; ``custom_id`` is ``None`` when it cannot name a request."""

    custom_id: str | None
    endpoint: str | None
    model: str | None
    tokens: float
    problems: list[Problem]
    blank: bool = False
    ready_made: bool = False


class Explainer:
    """Explains lines one by one; slow beside the typed decoding, exact, and never raises.

    Args:
        limits: What the ids and the bodies have to be like.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rules = Rules(limits)
        self.id_fault = id_checker(limits)

    def explain(self, line: bytes, number: int) -> Explained:
        r"""Look at one line, without its ``\n``, whose number counts from 1."""
        problems: list[Problem] = []

        def found(code: ProblemCode, what: str, fix: str, severity: Severity = "error") -> None:
            problems.append(Problem(line=number, code=code, severity=severity, what=what, fix=fix))

        if line.startswith(BOM):
            found(
                "bom",
                "the line begins with a byte order mark",
                "It is left out when the file is fixed.",
                "fixable",
            )
            line = line[len(BOM) :]
        if not line.strip():
            found("blank_line", "blank line", "It is left out when the file is fixed.", "fixable")
            return Explained(None, None, None, 0.0, problems, blank=True)
        nothing = Explained(None, None, None, 0.0, problems)
        try:
            line.decode()
        except UnicodeDecodeError as error:
            found(
                "not_utf8",
                f"not UTF-8: byte 0x{line[error.start]:02x} at offset {error.start} of the line",
                f"Save the file as UTF-8; it looks like {_encoding_of(line)}.",
            )
            return nothing
        try:
            row = _parsed(line)
        except (ValueError, RecursionError) as error:
            found("not_json", *_json_fault(line, error))
            return nothing
        if not isinstance(row, dict):
            found(
                "not_object",
                f"{kind_of(row)} where a request object is expected",
                'Write {"custom_id": …, "method": "POST", "url": …, "body": {…}} on one line.',
            )
            return nothing
        custom_id = self._custom_id(row, found)
        ready_made = "params" in row and row.get("body") is None
        url = MESSAGES_URL if ready_made else _route(row, found)
        endpoint = endpoint_of(url) if url else Endpoint()
        body = row.get("params" if ready_made else "body")
        if not isinstance(body, dict):
            name = "params" if ready_made else "body"
            what = f'no "{name}"' if body is None else f'"{name}" is {kind_of(body)}, not an object'
            found("no_body", what, f'Put the request itself into "{name}" as an object.')
            return Explained(custom_id, url, None, 0.0, problems)
        model = _model(body, endpoint, found)
        tokens = look_at_prompt(body, url or "", endpoint, model, found)
        for code, what, fix in self._rules.faults(body, model):
            found(code, what, fix)
        if body.get("stream") not in (None, False):
            found(
                "stream",
                '"stream" is set, and answers come whole',
                'Remove "stream" from the body.',
            )
        takes = self._limits.takes
        if takes is not None and is_translated(url) and not _has_errors(problems):
            try:
                takes(line)
            except InputError as error:
                found("untranslatable", error.message, error.hint)
        return Explained(custom_id, url, model, tokens, problems, ready_made=ready_made)

    def _custom_id(self, row: dict[str, Any], found: Found) -> str | None:
        value = row.get("custom_id")
        if value is None or value == "":
            what = '"custom_id" is empty' if value == "" else 'no "custom_id"'
            found("no_custom_id", what, 'Give every request its own "custom_id".')
            return None
        if not isinstance(value, str):
            found(
                "bad_custom_id",
                f'"custom_id" is {kind_of(value)}, not a text',
                'Write the "custom_id" in double quotes.',
            )
            return None
        fault = self.id_fault(value)
        if fault is not None:
            found("bad_custom_id", *fault)
        return value


def _has_errors(problems: list[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def id_checker(limits: Limits) -> Callable[[str], tuple[str, str] | None]:
    """A function that says what is wrong with an id, and how to mend it; ``None`` if nothing."""
    longest = limits.custom_id_max
    matches = re.compile(limits.custom_id_pattern).fullmatch if limits.custom_id_pattern else None

    def fault(custom_id: str) -> tuple[str, str] | None:
        if longest and (
            len(custom_id) > longest
            or (
                not custom_id.isascii()
                and len(custom_id.encode("utf-8", "surrogatepass")) > longest
            )
        ):
            size = len(custom_id.encode("utf-8", "surrogatepass"))
            return (
                f"custom_id {quoted(custom_id)} has {size} bytes, the limit is {longest}",
                "Shorten it, or renumber the ids.",
            )
        if matches is not None and matches(custom_id) is None:
            return (
                f"custom_id {quoted(custom_id)} does not fit {limits.custom_id_pattern}",
                "Use other characters, or renumber the ids.",
            )
        return None

    return fault


def _parsed(line: bytes) -> Any:
    try:
        return _decode(line)
    except msgspec.ValidationError:
        # Correct JSON with a number that no float can hold; typed decoding passes over it.
        return json.loads(line)


def _json_fault(line: bytes, error: Exception) -> tuple[str, str]:
    if isinstance(error, RecursionError):
        return "not JSON that can be read: nested too deeply", "Flatten the request."
    reason = str(error).removeprefix("JSON is malformed: ")
    what = f"not JSON: {reason}"
    text = line.strip()
    if re.search(rb"[:\[,]\s*-?(NaN|Infinity)\b", text):
        return what, "NaN and Infinity are not JSON; write null or a number."
    if re.search(rb"\\u[dD][89a-fA-F]", text):
        return what, "Look for half of a surrogate pair (\\ud800 to \\udfff) and replace it."
    if text.startswith(b"{'"):
        return what, "Use double quotes; write the line with a JSON library."
    if text in (b"[", b"{", b"]", b"}") or "truncated" in reason:
        return what, "Write each request on one line, as a whole."
    return what, "Mend the line, or write it anew with a JSON library."


def _encoding_of(line: bytes) -> str:
    if line[:2] in _ENCODINGS or b"\x00" in line:
        return "UTF-16"
    return "Latin-1 or Windows-1252"


def _route(row: dict[str, Any], found: Found) -> str | None:
    method = row.get("method")
    if method is None:
        found("no_method", 'no "method"', 'Add "method": "POST".')
    elif method != "POST":
        shown = quoted(method, 20) if isinstance(method, str) else kind_of(method)
        found("bad_method", f'"method" is {shown}, not POST', 'Write "method": "POST".')
    url = row.get("url")
    if isinstance(url, str) and url:
        return url
    what = 'no "url"' if url is None else '"url" is empty' if url == "" else '"url" is not a text'
    found("no_url", what, 'Add the endpoint, such as "url": "/v1/chat/completions".')
    return None


def _model(body: dict[str, Any], endpoint: Endpoint, found: Found) -> str | None:
    model = body.get("model")
    if isinstance(model, str) and model:
        return model
    if model is None and not endpoint.needs_model:
        return None
    what = "no model" if model in (None, "") else f'"model" is {kind_of(model)}, not a text'
    found("no_model", what, 'Add "model" to the body.')
    return None
