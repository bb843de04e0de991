"""The errors of ``tui.errors`` for what httpx raises and for what providers answer.

No text leaves this module before the key is redacted in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import msgspec

from tui.core.results.error_words import read_error, status_of
from tui.core.retry_rules import is_out_of_credit, retryable
from tui.errors import (
    BatchdeckError,
    KeyRejectedError,
    LimitError,
    ProviderError,
    QuotaError,
    RequestRejectedError,
    ResponseLostError,
    UnexpectedResponseError,
    UnreachableError,
)
from tui.providers.profiles.model import Quota
from tui.providers.wire.hints import hint_for
from tui.providers.wire.retry import parse_retry_after

_SHAPES = (
    re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=:-]{8,}"),
    re.compile(r"(?i)\b(x-api-key|api-key|x-goog-api-key)[\"']?\s*[:=]\s*[\"']?[^\s\"',;&}]{6,}"),
    re.compile(r"\b(sk|gsk|pplx|xai|fw|wrkspc-key)[-_][A-Za-z0-9_-]{16,}"),
    re.compile(r"(?<=://)[^/\s@:]+:[^/\s@]+(?=@)"),
)


def redact(text: str, key: str | None = None) -> str:
    """Replace the key, and everything that looks like a key, with ``[key]``.

    Every message, repr and log line of this package with content from the wire passes through
    this function.

    Args:
        text: The text to be shown.
        key: The account's key; also found when escaped for a URL or for JSON.
    """
    if key:
        for form in {key, quote(key, safe=""), msgspec.json.encode(key)[1:-1].decode()}:
            text = text.replace(form, "[key]")
    for shape in _SHAPES:
        text = shape.sub("[key]", text)
    return text


class _Failure(NamedTuple):
    """How a call failed that got no response, or only a part of one."""

    error: type[ProviderError]
    message: str
    hint: str


_NOT_SENT = _Failure(UnreachableError, "Cannot reach {provider} to {what}: {reason}", "{hint}")
_NO_RESPONSE = _NOT_SENT._replace(hint="Try again later.")
_BROKEN_OFF = _Failure(
    UnreachableError,
    "The response from {provider} broke off: {detail}",
    "The rest is requested again.",
)
_LOST = _Failure(
    ResponseLostError,
    "{provider} was asked to {what}, but the response was lost: {reason}",
    "It may have been carried out anyway; check before retrying.",
)
_FAILURES: dict[type[Exception], _Failure] = {
    httpx.DecodingError: _Failure(
        UnexpectedResponseError,
        "The response from {provider} cannot be decompressed: {detail}",
        "Try again.",
    ),
    httpx.ConnectError: _NOT_SENT,
    httpx.ConnectTimeout: _NOT_SENT,
    httpx.PoolTimeout: _NOT_SENT,
    httpx.ProxyError: _NOT_SENT,
    httpx.UnsupportedProtocol: _NOT_SENT,
    httpx.LocalProtocolError: _NOT_SENT,
}
"""Exceptions after which it is known what happened; for any other it depends on the call."""

_REASONS: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "{host} did not accept the connection in time",
    httpx.ReadTimeout: "{host} did not respond in time",
    httpx.WriteTimeout: "{host} did not respond in time",
    httpx.PoolTimeout: "all connections are busy",
}

_CAUSES = (
    (
        re.compile(r"Name or service not known|nodename nor servname|getaddrinfo"),
        "the host name {host} cannot be resolved",
        "Check base_url and the network.",
    ),
    (
        re.compile("CERTIFICATE_VERIFY_FAILED"),
        "the certificate of {host} is not trusted",
        "Behind a corporate proxy, set SSL_CERT_FILE to its CA certificate.",
    ),
    (
        re.compile("SSL"),
        "{detail}",
        "Check whether base_url should start with http:// instead of https://.",
    ),
    (re.compile(""), "{detail}", "Check the network and base_url."),
)
"""What the text of an exception tells: a pattern, the reason, and a hint."""


MAX_ERROR_BYTES = 4096
"""The number of bytes kept of an error body."""

_MAX_SHOWN = 300
_GATEWAY_ERRORS = frozenset({408, 499, 502, 504, 520, 521, 522, 523, 524})
_TEMPORARY = frozenset({408, 409, 425, 429})
_DENIED = {401: "rejected the key", 403: "denied access with this key"}
_KEY_CODES = frozenset({"invalid_api_key", "no_db_connection"})
"""Codes that mean a rejected key whatever the status is; the second one is LiteLLM's."""


@dataclass(frozen=True)
class RawResponse:
    """A raw response, from which an error is built. ``head`` is the start of the body."""

    status: int
    headers: Mapping[str, str]
    head: bytes

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_html(self) -> bool:
        """Whether the body is an HTML page."""
        start = self.head[:512].lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")):
            return True
        return self.content_type in ("text/html", "application/xhtml+xml")

    @property
    def request_id(self) -> str | None:
        """The provider's id of the call."""
        for name in ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray"):
            if value := self.headers.get(name):
                return value
        return None


@dataclass(frozen=True)
class ErrorContext:
    """Whose errors are read, and how.

    Attributes:
        provider: The provider's name.
        host: Its host name or IP address.
        key: The account's key, which is redacted.
        quota: How the provider says that a queue is full or a credit exhausted.
        rules: Whether an error code is retryable.
        clock: Returns Unix seconds.
        windows: The completion windows that the account takes.
    """

    provider: str
    host: str
    key: str | None
    quota: Quota
    rules: Mapping[str, bool]
    clock: Callable[[], float]
    windows: tuple[str, ...] = ()

    @contextmanager
    def connection_errors(self, what: str, *, idempotent: bool, answered: bool) -> Iterator[None]:
        """Raise the error for a call that got no response, or only a part of one.

        Args:
            what: The action, as in "cannot reach X to WHAT".
            idempotent: Whether the call is idempotent. If it is not and may have been sent, the
                provider may have carried it out: ``ResponseLostError``.
            answered: Whether the response had started.
        """
        try:
            yield
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            usual = _BROKEN_OFF if answered else _NO_RESPONSE
            failure = _FAILURES.get(type(error), usual if idempotent else _LOST)
            detail = redact(str(error), self.key) or "the connection was closed"
            cause, hint = next(
                (reason, hint) for pattern, reason, hint in _CAUSES if pattern.search(detail)
            )
            if what == "store the file" and isinstance(error, httpx.ReadError | httpx.WriteError):
                # A server that does not take so much may hang up before it has read it.
                split = hint_for(what, 413, "")
                failure = failure._replace(hint=f"Try again later. If that does not help: {split}")
            names = {"provider": self.provider, "host": self.host, "what": what, "detail": detail}
            reason = _REASONS.get(type(error), cause).format(**names)
            raised = failure.error(
                failure.message.format(**names, reason=reason), failure.hint.format(hint=hint)
            )
            try:
                raise raised from None
            finally:
                # The tracebacks of httpx hold the headers, and in them the key.
                raised.__context__ = None

    def response_error(self, answer: RawResponse, what: str, *, idempotent: bool) -> BatchdeckError:
        """Build the error for a response outside 2xx.

        Args:
            answer: Status, headers and the start of the body.
            what: The action, as in "X failed to WHAT".
            idempotent: Whether the call is idempotent. If it is not, an error from a gateway does
                not show whether the provider carried it out: ``ResponseLostError``.
        """
        status, page = answer.status, answer.is_html
        body = redact(answer.head[:MAX_ERROR_BYTES].decode("utf-8", "replace"), self.key)
        code, message = (None, "") if page else parse_error_body(body)
        code = code or _aws_code(answer.headers.get("x-amzn-errortype", ""))
        detail = _shortened(message) or f"HTTP status {status}"
        text = f"{self.provider} failed to {what} ({status}): {detail}"
        if (limit := self._limit_error(status, code, body, text)) is not None:
            limit.status, limit.body = status, body
            return limit
        hint = ""
        if page:
            text = (
                f"{self.provider} failed to {what}: the server returned a web page"
                f" (status {status})"
            )
            hint = "Check base_url, and whether a proxy is in the way."
        if status in _DENIED or (status < 500 and code in _KEY_CODES):
            if not page:
                denial = _DENIED.get(status, _DENIED[401])
                text = f"{self.provider} {denial} ({status}): {detail}"
            denied = KeyRejectedError(text, hint)
            denied.status, denied.body, denied.code = status, body, code
            return denied
        kind: type[ProviderError] = RequestRejectedError
        advice = hint_for(what, status, detail, windows=self.windows)
        known = self.rules.get(code or "")
        if known is None and not idempotent and status in _GATEWAY_ERRORS:
            kind, advice = ResponseLostError, _LOST.hint
        elif self._is_temporary(answer, known):
            kind, advice = ProviderError, "Try again later."
        return kind(
            text,
            advice if status == 413 else hint or advice,
            status=status,
            code=code,
            body=body,
            request_id=answer.request_id,
            retry_after=_retry_delay(answer, body, self.clock()),
        )

    def _limit_error(
        self, status: int, code: str | None, body: str, text: str
    ) -> LimitError | None:
        quota = self.quota
        if not 400 <= status < 500:
            return None
        says_so = code in quota.limit_codes or _has(body, quota.limit_text)
        if status == 402 or says_so or is_out_of_credit(code, text):
            return LimitError(text, "Top up the account or raise its limit, then retry.")
        if code in quota.codes or _has(body, quota.text):
            return QuotaError(text, "Retry when other batches have ended.")
        return None

    def _is_temporary(self, answer: RawResponse, known: bool | None) -> bool:
        """Whether the same call may work later: by error code, by header, then by status."""
        if answer.is_html:
            return answer.status in _TEMPORARY or answer.status >= 500
        if known is not None:
            return known
        should_retry = answer.headers.get("x-should-retry")
        if should_retry in ("true", "false"):
            return should_retry == "true"
        return answer.status != 409 and retryable(answer.status, None) is True


@contextmanager
def explaining(explain: Callable[[BatchdeckError], BatchdeckError | None]) -> Iterator[None]:
    """Name the setting that is wrong, in place of the server's own words.

    Args:
        explain: A better error for one that was raised, which gets its status and body; ``None``
            if there is none.
    """
    try:
        yield
    except BatchdeckError as error:
        better = explain(error)
        if better is None:
            raise
        better.status, better.body = error.status, error.body
        raise better from error


def may_have_acted(error: BatchdeckError) -> bool:
    """Whether a create or an upload may have been carried out despite this error.

    True for a lost response, an unreadable response, every 5xx (also 503 and 529, which a gateway
    may send for a server that acts all the same), a gateway's timeout (408, 499), a redirect to a
    page with the outcome (303, and 301 and 302 as they are commonly used), and a conflict (409),
    as it is said of a call that is being repeated. Otherwise nothing was made: the server was not
    reached, or it refused (429, 413, any other 4xx, a full queue, no credit, a rejected key).
    """
    if isinstance(error, (ResponseLostError, UnexpectedResponseError)):
        return True
    status = error.status or 0 if isinstance(error, ProviderError) else 0
    return status >= 500 or status in (301, 302, 303, 408, 409, 499)


def says_busy(error: BatchdeckError) -> bool:
    """Whether the provider answered that it can take the same request later.

    A server that cannot be reached, or that reports success with a body that cannot be read, may
    be the wrong one: the user has to hear of that.
    """
    if not isinstance(error, ProviderError) or error.status is None:
        return False
    return error.retryable and error.status >= 400


def parse_error_body(body: str) -> tuple[str | None, str]:
    """Read code and message of an error body: JSON in any known format, or plain text."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        value = body
    code, message = _words(value)
    # A gateway may repeat the response of the server behind it inside the message.
    inner = read_error(message)
    if inner.message and inner.message != message:
        message, code = inner.message, code or inner.code
    return code, message


def error_words(body: str) -> str:
    """The shortened message of an error body; empty if it has none."""
    return _shortened(parse_error_body(body)[1])


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
            # In Doubleword's {"error": "too_many_requests", "message": …} the error is the code.
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
        # TensorZero and LiteLLM repeat the HTTP status, which is not an error code.
        if (status := status_of(found)) is not None and 100 <= status < 600:
            continue
        if isinstance(found, (str, int)):
            return str(found)
    if isinstance(value.get("__type"), str):
        return _aws_code(value["__type"])
    status = value.get("status")
    # Google's errors repeat the HTTP status as code, and name the error in `status`.
    return status if isinstance(status, str) and _GOOGLE_STATUS.fullmatch(status) else None


def _aws_code(text: str) -> str | None:
    """The code in ``NAMESPACE#CODE:ADDRESS``, as AWS writes it in a header or ``__type``."""
    return text.partition(":")[0].rpartition("#")[2].strip() or None


_GOOGLE_STATUS = re.compile(r"[A-Z]{2,}(_[A-Z]+)*")


def _message(value: dict[str, Any]) -> str:
    for name in ("message", "Message", "msg", "detail", "error_description", "title"):
        found = value.get(name)
        if isinstance(found, str) and found:
            where = value.get("loc")
            if isinstance(where, list):
                return f"{'.'.join(str(part) for part in where)}: {found}"
            return found
    return ""


def _has(body: str, texts: tuple[str, ...]) -> bool:
    folded = body.casefold()
    return any(text.casefold() in folded for text in texts)


def _retry_delay(answer: RawResponse, body: str, now: float) -> float | None:
    """The delay in seconds from the headers, or else from Doubleword's error body."""
    asked = parse_retry_after(answer.headers, now)
    if asked is None and (match := re.search(r'"retry_after_seconds"\s*:\s*(\d+)', body)):
        return parse_retry_after({"retry-after": match[1]}, now)
    return asked


def _shortened(message: str) -> str:
    line = re.sub(r"\s+", " ", message).strip()
    return line if len(line) <= _MAX_SHOWN else f"{line[: _MAX_SHOWN - 1]}…"
