"""From an answer that is not a success to the error that a person gets.

Error bodies are never taken to be JSON: Doubleword answers in plain text, gateways in HTML,
and those that answer in JSON do so in half a dozen shapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tui.core.retrying import retryable
from tui.errors import (
    AnswerLostError,
    BatchdeckError,
    GarbledAnswerError,
    KeyRefusedError,
    LimitError,
    ProviderError,
    QuotaError,
    RequestRefusedError,
)
from tui.providers.pauses import asked_pause
from tui.providers.redact import redact
from tui.providers.schema import Quota

KEPT = 4096
"""Bytes of an error body that are kept."""

_SHOWN = 300
_LOST_AT_A_GATEWAY = frozenset({408, 499, 502, 504, 520, 521, 522, 523, 524})
_PASSING = frozenset({408, 409, 425, 429})


@dataclass(frozen=True)
class Answer:
    """An answer as it came: what an error is made from. ``head`` is the start of the body."""

    status: int
    headers: Mapping[str, str]
    head: bytes

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_page(self) -> bool:
        """Is this a web page, meant for a person and not for a program?"""
        start = self.head[:512].lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")):
            return True
        return self.content_type in ("text/html", "application/xhtml+xml")

    @property
    def request_id(self) -> str | None:
        """The provider's id for the call."""
        for name in ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray"):
            if value := self.headers.get(name):
                return value
        return None


@dataclass(frozen=True)
class Reading:
    """Who answered, what was asked, and how that provider's errors are to be read."""

    provider: str
    key: str | None
    quota: Quota
    rules: Mapping[str, bool]
    now: float


def refusal(answer: Answer, reading: Reading, *, what: str, repeatable: bool) -> BatchdeckError:
    """The error for an answer outside 2xx.

    Args:
        answer: Status, headers and the start of the body.
        reading: Whose answer it is.
        what: What was tried, as in "Provider refused to WHAT".
        repeatable: Could the call be repeated without harm? If not, an answer that a gateway
            made up says nothing of what the provider did: ``AnswerLostError``.
    """
    status = answer.status
    body = redact(answer.head[:KEPT].decode("utf-8", "replace"), reading.key)
    if answer.is_page:
        code, words = None, ""
    else:
        code, words = words_of(body)
    kept: dict[str, Any] = {
        "status": status,
        "code": code,
        "body": body,
        "request_id": answer.request_id,
        "retry_after": _pause(answer, body, reading.now),
    }
    said = _short(words) or f"HTTP status {status}"
    head = f"{reading.provider} could not {what} ({status}): {said}"
    if (limit := _limit(status, code, body, head, reading.quota)) is not None:
        limit.status, limit.body = status, body
        return limit
    if answer.is_page:
        return _page(answer, reading, kept, what=what, repeatable=repeatable)
    if status in (401, 403):
        which = "the key" if status == 401 else "what the key may do"
        refused = KeyRefusedError(f"{reading.provider} refused {which} ({status}): {said}")
        refused.status, refused.body = status, body
        return refused
    if not repeatable and status in _LOST_AT_A_GATEWAY and reading.rules.get(code or "") is None:
        return AnswerLostError(
            head, "It may have been done all the same: look before sending it again.", **kept
        )
    if _passes(status, code, reading.rules, answer.headers.get("x-should-retry")):
        return ProviderError(head, "It may work later.", **kept)
    return RequestRefusedError(head, _advice(status), **kept)


def may_have_acted(error: BatchdeckError) -> bool:
    """After this error of a create or an upload: can it have happened all the same?

    True for a lost answer, for an answer that cannot be read, for every 5xx, and for a
    redirect to where the outcome can be seen (303, and 301 and 302 as they are used).
    """
    if isinstance(error, (AnswerLostError, GarbledAnswerError)):
        return True
    status = error.status or 0 if isinstance(error, ProviderError) else 0
    return status >= 500 or status in (301, 302, 303)


def words_of(body: str) -> tuple[str | None, str]:
    """Code and message of an error body: JSON in any of the shapes seen, or plain text."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None, body.strip()
    return _words(value)


def _words(value: Any) -> tuple[str | None, str]:
    if isinstance(value, str):
        return None, value.strip()
    if isinstance(value, list):
        found = [_words(item) for item in value[:3]]
        codes = [code for code, _ in found if code]
        return (codes[0] if codes else None), "; ".join(words for _, words in found if words)
    if not isinstance(value, dict):
        return None, "" if value is None else str(value)
    code = _code(value)
    message = _message(value)
    for name in ("error", "errors", "detail", "details", "data"):
        inner = value.get(name)
        if isinstance(inner, str) and inner and name == "error":
            # Doubleword's {"error": "too_many_requests", "message": …} has its code there.
            if message:
                return code or inner, message
            return code, inner
        if isinstance(inner, (dict, list)) and inner:
            inner_code, inner_message = _words(inner)
            code = (inner_code or code) if name == "error" else (code or inner_code)
            message = (inner_message or message) if name == "error" else (message or inner_message)
    return code, message


def _code(value: dict[str, Any]) -> str | None:
    details = value.get("details")
    if isinstance(details, dict) and isinstance(details.get("error_code"), str):
        return str(details["error_code"])
    for name in ("code", "error_code", "type", "error_type"):
        found = value.get(name)
        if isinstance(found, bool) or found in (None, "", "error"):
            continue
        # TensorZero repeats the HTTP status as an integer code; that is no code.
        if isinstance(found, int) and 100 <= found < 600:
            continue
        if isinstance(found, (str, int)):
            return str(found)
    return None


def _message(value: dict[str, Any]) -> str:
    for name in ("message", "msg", "detail", "error_description", "title"):
        found = value.get(name)
        if isinstance(found, str) and found:
            where = value.get("loc")
            if isinstance(where, list):
                return f"{'.'.join(str(part) for part in where)}: {found}"
            return found
    return ""


def _limit(status: int, code: str | None, body: str, head: str, quota: Quota) -> LimitError | None:
    if not 400 <= status < 500:
        return None
    folded = body.casefold()
    if status == 402 or code in quota.limit_codes or _has(folded, quota.limit_text):
        return LimitError(head, "Top up the account or raise its limit, then send it again.")
    if code in quota.codes or _has(folded, quota.text):
        return QuotaError(head, "It can be sent again when other batches have ended.")
    return None


def _has(folded: str, texts: tuple[str, ...]) -> bool:
    return any(text.casefold() in folded for text in texts)


def _page(
    answer: Answer, reading: Reading, kept: dict[str, Any], *, what: str, repeatable: bool
) -> BatchdeckError:
    status = answer.status
    head = f"{reading.provider} could not {what}: the address answered with a web page"
    message = f"{head} (status {status})"
    hint = "Check base_url, and whether a proxy stands in between."
    if status in (401, 403):
        return KeyRefusedError(message, hint)
    if status == 413:
        return RequestRefusedError(message, _advice(413), **kept)
    if not repeatable and status in _LOST_AT_A_GATEWAY:
        return AnswerLostError(message, hint, **kept)
    if status in _PASSING or status >= 500:
        return ProviderError(message, hint, **kept)
    return RequestRefusedError(message, hint, **kept)


def _passes(status: int, code: str | None, rules: Mapping[str, bool], told: str | None) -> bool:
    """May the same call work later? A code decides first, then what the server says of it."""
    if code is not None and code in rules:
        return rules[code]
    if told in ("true", "false"):
        return told == "true"
    if status == 409:
        return False
    return retryable(status, None) is True


def _pause(answer: Answer, body: str, now: float) -> float | None:
    """Seconds to wait; Doubleword also writes them into the body, where they differ."""
    asked = asked_pause(answer.headers, now)
    if asked is None and (match := re.search(r'"retry_after_seconds"\s*:\s*(\d+)', body)):
        return asked_pause({"retry-after": match[1]}, now)
    return asked


def _advice(status: int) -> str:
    if status == 404:
        return "Check the id and base_url; results and files may be past their keeping time."
    if status == 413:
        return "Split the file into smaller batches."
    if status == 409:
        return "Look at the batch's state; it may be too late, or too early, for this."
    return "Change the request; sending it again as it is will not help."


def _short(words: str) -> str:
    line = re.sub(r"\s+", " ", words).strip()
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
