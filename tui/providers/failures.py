"""From a connection that failed to the error that a person gets."""

from __future__ import annotations

import re

import httpx

from tui.errors import AnswerLostError, GarbledAnswerError, ProviderError, UnreachableError
from tui.providers.redact import redact

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


def failure(
    error: Exception,
    *,
    provider: str,
    host: str,
    key: str | None,
    what: str,
    repeatable: bool,
    answered: bool,
) -> ProviderError:
    """The error for a call that got no answer, or only a part of one.

    Args:
        error: What httpx, or the system, said.
        provider: Who was asked.
        host: The name or number that was called.
        key: The account's key, to keep it out of the words.
        what: What was tried, as in "could not WHAT".
        repeatable: Could the call be repeated without harm? If not, and it may have been
            sent, the answer is lost: the provider may have acted.
        answered: Had the answer begun?
    """
    said = redact(str(error), key) or type(error).__name__
    head = f"{provider} could not be asked to {what}"
    if isinstance(error, httpx.DecodingError):
        return GarbledAnswerError(
            f"The answer of {provider} cannot be unpacked: {said}", "Try again."
        )
    if isinstance(error, _NOT_SENT):
        return UnreachableError(f"{head}: {_reason(error, host, said)}", _hint(said))
    reason = _reason(error, host, said)
    if not repeatable:
        return AnswerLostError(
            f"{provider} was asked to {what}, and the answer was lost: {reason}",
            "It may have been done all the same: look before sending it again.",
        )
    if answered:
        return UnreachableError(
            f"The answer of {provider} broke off: {said}", "It is asked for again from there."
        )
    return UnreachableError(f"{head}: {reason}", "Try again later.")


def _reason(error: Exception, host: str, said: str) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"{host} did not take the connection in time"
    if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
        return f"{host} kept silent for too long"
    if isinstance(error, httpx.PoolTimeout):
        return "all connections are busy"
    if _is_name_trouble(said):
        return f"the name {host} is not known"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"the certificate of {host} is not trusted"
    return said


def _hint(said: str) -> str:
    if _is_name_trouble(said):
        return "Check base_url and the network."
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return "Behind a company's proxy, set SSL_CERT_FILE to its certificate."
    if "SSL" in said:
        return "Check whether base_url should begin with http:// instead of https://."
    return "Check the network and base_url."


def _is_name_trouble(said: str) -> bool:
    return bool(re.search(r"Name or service not known|nodename nor servname|getaddrinfo", said))
