"""Status, code and message of an error, wherever they stand in what a server wrote.

Servers and the gateways in front of them wrap the reason in objects, lists and texts: OpenRouter
in ``metadata.raw``, FastAPI in ``detail``, Azure as JSON inside ``message`` and in ``innererror``,
Doubleword as JSON with ``type`` and ``details``, Python programs as ``Error code: 404 - {…}``.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from tui.core.results.bodies import is_broken_off
from tui.core.retry_rules import RETRYABLE_CODES, retryable

_DEEPEST = 8
_LONGEST_TEXT = 1 << 16
_MOST_ITEMS = 3

_INNER = (
    "error", "errors", "message", "detail", "details", "body", "metadata", "raw", "innererror",
    "inner_error", "cause", "response", "result", "data", "choices", "base_resp",
)  # fmt: skip
_MESSAGES = (
    "message", "detail", "msg", "error_description", "error_message", "errorMessage", "title",
    "reason", "status_msg", "error_msg", "errmsg", "err_msg", "errorMsg", "Message",
)  # fmt: skip
_CODES = ("code", "error_code", "errorCode", "errcode", "err_code")
_KINDS = ("type", "error_type")
_STATUSES = ("status_code", "statusCode", "http_status", "status", *_CODES)

# The patterns are compiled when they are first used: most commands read no errors.
_STATUS_IN_TEXT = r"""(?ix)
      \b (?: http (?:/\d (?:\.\d)? )? | (?:http[ _-]?)? status (?:[ _-]?code)? | error[ ]code )
      ["']? [ ]* [:=]? [ ]* \(? ["']? (\d{3}) \b
    | (?: ^ | [ ] ) (\d{3}) [ ] (?:client|server)[ ]error \b
    | ^ (\d{3}) [ ] (?:bad[ ]gateway | gateway[ ]time | service[ ](?:temporarily[ ])?unavailable
        | internal[ ]server[ ]error | too[ ]many[ ]requests | request[ ]entity | payload[ ]too)
    | \b (?:client|server|redirect)[ ]error[ ] ['"] (\d{3}) \b
    """
_STATUS_AT_START = r"\s*(\d{1,3})(?:\s*$| [A-Za-z])"
_LONGEST_STATUS = 60
_OPENING = r"[\[{]"
_EXCEPTION_IN_TEXT = r"^litellm\.(?:exceptions\.)?(\w+)\s*:"
_PAGE = r"(?i)<!doctype html|<html"
_TITLE = r"(?is)<title[^>]*>([^<]*\w[^<]*)</title"
_UNSHOWN = r"(?is)<(script|style)\b.*?</\1>"
_TAG = r"<[^>]*>"
_EMPTY_WORDS = frozenset({"", "none", "null", "nil", "{}", "[]", "false", "0", "ok", "success"})
_FINE_CODES = frozenset({"0", "200", "201", "ok", "success", "none", "null"})


class ErrorFacts(NamedTuple):
    """What an error says: HTTP status, code, message, and whether a retry can help."""

    status: int | None
    code: str | None
    message: str
    retryable: bool | None


class _Node(NamedTuple):
    """What one level of an error says."""

    status: int | None = None
    code: str | None = None
    kind: str | None = None
    message: str = ""


def is_error(value: Any) -> bool:
    """Whether a value says that something went wrong.

    Servers send an object with empty fields, an empty list or ``"None"`` where others send null.
    """
    return _is_error(value, 0)


def _is_error(value: Any, depth: int) -> bool:
    if depth > _DEEPEST:
        return True
    if isinstance(value, str):
        return value.strip().lower() not in _EMPTY_WORDS
    if isinstance(value, Mapping):
        if "code" in value and str(value["code"]).lower() in _FINE_CODES:
            value = {name: inner for name, inner in value.items() if name != "code"}
        return any(_is_error(inner, depth + 1) for inner in value.values())
    if isinstance(value, list):
        return any(_is_error(inner, depth + 1) for inner in value)
    return bool(value)


def read_error(
    *values: Any, status: int | None = None, rules: Mapping[str, bool] | None = None
) -> ErrorFacts:
    """Read the error in one or more decoded values.

    Args:
        values: What may hold it; the first one with words counts.
        status: The HTTP status of the row, if it is known.
        rules: The profile's error codes and whether they can be retried.

    Returns:
        The outermost message, followed by the innermost one if that says more (empty without
        any); the first code
        whose meaning is known, else the outermost one; ``status`` if it is an error, else the
        outermost status found.
    """
    nodes = [node for value in values for node in _nodes(value, 0)]
    codes = [node.code or node.kind or "" for node in nodes if node.code or node.kind]
    known = [*codes, *(node.kind for node in nodes if node.kind)]
    code = _preferred(codes, rules)
    found = next((node.status for node in nodes if node.status is not None), None)
    is_answer = status is None or 200 <= status < 300
    shown = found if is_answer and found is not None else status
    # What a server in between says of its own trouble is less than what the first one said.
    decisive = found if found is not None and found < 500 and (shown or 500) >= 500 else shown
    can_retry = next(
        (verdict for one in known if (verdict := _by_code(one, rules)) is not None), None
    )
    if can_retry is None:
        can_retry = retryable(decisive, None)
    return ErrorFacts(shown, code, _message(nodes), can_retry)


_PLAIN_FIELDS = frozenset({"message", "type", "param", "code"})


def read_plain_error(
    error: Mapping[str, str | None], status: int, rules: Mapping[str, bool] | None = None
) -> ErrorFacts | None:
    """Read a documented error object whose message is only words: a fast path of ``read_error``.

    Args:
        error: The object, which stands under ``error`` in a body without other fields.
        status: The HTTP status of the row; not of a success.
        rules: As for ``read_error``.

    Returns:
        What ``read_error`` finds; ``None`` if the error must be read with it.
    """
    message = (error.get("message") or "").strip()
    if not message or not error.keys() <= _PLAIN_FIELDS:
        return None
    if message.startswith(("<", "litellm.")) or message.endswith(("}", "]")):
        return None
    if re.search(r"[45]\d\d", message) or status_of(error.get("code")) is not None:
        return None
    code, kind = _named(error, _CODES), _named(error, _KINDS)
    verdicts = [_by_code(word, rules) for word in (code, kind) if word]
    can_retry = next((verdict for verdict in verdicts if verdict is not None), None)
    if can_retry is None:
        can_retry = retryable(status, None)
    return ErrorFacts(status, code or kind, message, can_retry)


def status_of(value: Any) -> int | None:
    """An HTTP status given as a number or as digits; some servers write 0."""
    if isinstance(value, str):
        match = re.match(_STATUS_AT_START, value[:_LONGEST_STATUS])
        value = int(match[1]) if match else None
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and abs(value) < 1000 else None


def decoded_text(text: str) -> Any:
    """The object or list that a text is in JSON or as Python writes it; ``None`` otherwise."""
    if len(text) > _LONGEST_TEXT or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        pass
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return value if isinstance(value, dict | list) else None


def _nodes(value: Any, depth: int) -> Iterator[_Node]:
    """What each level of an error says, from the outermost to the innermost."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield from _text_nodes(value, depth)
    elif isinstance(value, list):
        items = [list(_nodes(item, depth + 1)) for item in value[:_MOST_ITEMS]]
        yield _Node(message="; ".join(filter(None, map(_message, items))))
        yield from (node._replace(message="") for nodes in items for node in nodes)
    elif isinstance(value, dict):
        yield from _object_nodes(value, depth)
    elif (status := status_of(value)) is not None and 400 <= status < 600:
        yield _Node(status=status)


def _text_nodes(text: str, depth: int) -> Iterator[_Node]:
    text = _page_words(text.strip())
    if not text:
        return
    inner = _object_at_the_end(text)
    found = list(_nodes(inner, depth + 1)) if inner else []
    head = text[:_LONGEST_TEXT]
    status = next((int(digits) for digits in _first_groups(head)), None)
    kind = re.match(_EXCEPTION_IN_TEXT, head)
    if any(node.message for node in found):
        yield _Node(status=status, kind=kind[1] if kind else None)
        yield from found
        return
    yield _Node(status=status, kind=kind[1] if kind else None, message=text)
    yield from found


def _page_words(text: str) -> str:
    """The words of a web page that a gateway wrote, from its title if it has one."""
    if not re.match(_PAGE, text):
        return text
    # Loading it takes a while.
    import html

    head = re.sub(_UNSHOWN, " ", text[:_LONGEST_TEXT])
    title = re.search(_TITLE, head)
    words = " ".join(html.unescape(re.sub(_TAG, " ", title[1] if title else head)).split())
    return words or "a web page"


def _object_at_the_end(text: str) -> Any:
    """The object or list that ends a text, as in ``Error code: 404 - {…}``."""
    if len(text) > _LONGEST_TEXT or not text.endswith(("}", "]")):
        return None
    for opening in itertools.islice(re.finditer(_OPENING, text), _MOST_ITEMS):
        if (value := decoded_text(text[opening.start() :])) is not None:
            return value
    return None


def _first_groups(text: str) -> Iterator[str]:
    match = re.search(_STATUS_IN_TEXT, text)
    digits = next((group for group in match.groups() if group), None) if match else None
    if digits is not None and 400 <= int(digits) < 600:
        yield digits


def _object_nodes(value: dict[str, Any], depth: int) -> Iterator[_Node]:
    message = ""
    deeper: list[_Node] = []
    for name in _MESSAGES:
        words = value.get(name)
        if isinstance(words, str) and words:
            text = list(_text_nodes(words, depth))
            message = next((node.message for node in text if node.message), words)
            deeper = [node._replace(message="") for node in text]
            break
    where = value.get("loc")
    if message and isinstance(where, list):
        message = f"{'.'.join(str(part) for part in where)}: {message}"
    code = _named(value, _CODES)
    reason = value.get("finish_reason")
    if not message and is_broken_off(reason) and not is_error(value.get("error")):
        code = None if reason == "error" else str(reason)
        message = f"The answer was broken off ({reason})"
    yield _Node(status=_error_status(value), code=code, kind=_named(value, _KINDS), message=message)
    yield from deeper
    for name in _INNER:
        inner = value.get(name)
        if isinstance(inner, dict | list) or (isinstance(inner, str) and name not in _MESSAGES):
            yield from _nodes(inner, depth + 1)


def _named(value: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        found = value.get(name)
        if isinstance(found, bool) or found in (None, "", "error"):
            continue
        if isinstance(found, str) or (isinstance(found, int) and name in _CODES):
            if name in _CODES and str(found).lower() in _FINE_CODES:
                continue
            return str(found)
    return None


def _error_status(value: dict[str, Any]) -> int | None:
    for name in _STATUSES:
        status = status_of(value.get(name))
        if status is not None and 400 <= status < 600:
            return status
    return None


def _preferred(codes: list[str], rules: Mapping[str, bool] | None) -> str | None:
    known = next((code for code in codes if _by_code(code, rules) is not None), None)
    if known is not None:
        return known
    words = next((code for code in codes if status_of(code) is None), None)
    return words or next(iter(codes), None)


def _by_code(code: str, rules: Mapping[str, bool] | None) -> bool | None:
    if rules is not None and code in rules:
        return rules[code]
    return RETRYABLE_CODES.get(code)


def _message(nodes: list[_Node]) -> str:
    messages = [node.message for node in nodes if node.message]
    if not messages:
        return ""
    first, last = messages[0], messages[-1]
    return first if last in first else last if first in last else f"{first}: {last}"


def encoded(value: Any) -> str:
    """A value without words, as JSON."""
    try:
        return msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, RecursionError, UnicodeError, TypeError):
        return str(type(value).__name__)
