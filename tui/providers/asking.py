"""One request asked at once, at the provider's synchronous endpoint: to try before paying."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tui.errors import InputError, UsageError
from tui.providers.calls import Call
from tui.providers.schema import Profile

WHAT = "answer the request"
"""Completes "could not …" in the errors of such a call."""

_VERSION = re.compile(r"/v\d+(?=/)")


class _Request(msgspec.Struct):
    body: msgspec.Raw
    url: str = "/v1/chat/completions"


_decode = msgspec.json.Decoder(_Request).decode
_decode_table = msgspec.json.Decoder(dict[str, Any]).decode


def ask_call(profile: Profile, request: bytes, *, has_path: bool) -> Call:
    """The call that asks for the answer to one request line; it is made once, as it costs money.

    A path under an address that has one of its own (``…/openai/v1``) is meant from there on:
    its version is left out. ScaleDown takes the body of a batch row as it is ("batch parity"
    on the vendor's page on OpenAI compatibility).

    Args:
        profile: The provider.
        request: ``custom_id``, ``method``, ``url`` and ``body`` as JSON.
        has_path: Does the account's address have a path?

    Raises:
        InputError: The line is no request.
        UsageError: The provider has no such endpoint, or answers no single requests.
    """
    try:
        found = _decode(request)
        body = _decode_table(found.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the request cannot be read: {error}", "Check the file.") from None
    path = _without_version(found.url)
    if path not in map(_without_version, profile.endpoints):
        # Any other path could make or delete things at the provider.
        raise UsageError(
            f"{profile.name} has no endpoint {found.url!r}",
            f"There are: {', '.join(profile.endpoints)}.",
        )
    return Call(
        "POST",
        path if has_path else found.url,
        WHAT,
        repeatable=False,
        json=body,
        patience=profile.http.send_seconds,
    )


def _without_version(path: str) -> str:
    return _VERSION.sub("", path, count=1) if _VERSION.match(path) else path
