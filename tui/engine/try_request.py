"""One request tried at once, outside any batch: its answer read like that of a row."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from tui.compose.limits import Limits
from tui.compose.requests import clean_requests
from tui.core.readers import READERS
from tui.core.rows import RowResult
from tui.engine.context import Context
from tui.errors import InputError, UsageError

_decode_id = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True)
class Trial:
    """A request and its answer.

    ``request`` is the request line, ``raw`` the answer's body as the provider sent it, and
    ``result`` what it says. ``seconds`` is how long the answer took.
    """

    account: str
    provider_name: str
    custom_id: str
    request: bytes
    result: RowResult
    raw: bytes
    seconds: float


async def try_request(context: Context, account: str, request: bytes) -> Trial:
    """Ask the provider of an account for the answer to one request line.

    Raises:
        UsageError: The provider answers no single requests, or not at this endpoint.
        BatchdeckError: There is no answer; a refused request is a RequestRefusedError.
    """
    custom_id = _id_of(request)
    dialect = await context.accounts.dialect(account)
    if not dialect.capabilities.asks:
        name = context.accounts.info(account).provider_name
        raise UsageError(
            f"{name} answers no single requests", "Send a few as a small job: --sample 5."
        )
    started = time.monotonic()
    raw = await dialect.ask(request)
    seconds = time.monotonic() - started
    line = _as_result_line(custom_id, raw, dialect.result_style)
    return Trial(
        account=account,
        provider_name=context.accounts.info(account).provider_name,
        custom_id=custom_id,
        request=request,
        result=READERS[dialect.result_style](line, dialect.retry_rules),
        raw=raw,
        seconds=seconds,
    )


def request_at(path: Path, number: int, limits: Limits) -> bytes:
    """The request with this number, from 1, of a file.

    Raises:
        InputError: There are fewer, or a line before it cannot be used.
    """
    if number < 1:
        raise UsageError(f"there is no request {number}", "They are counted from 1.")
    requests = clean_requests(path, fix=True, limits=limits)
    found = next(islice(requests, number - 1, None), None)
    if found is None:
        raise InputError(f"there is no request {number}", "Look how many there are.", path=path)
    return found.line


def _id_of(request: bytes) -> str:
    try:
        value = msgspec.json.decode(_decode_id(request)["custom_id"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        raise InputError("the request cannot be read", "Give it custom_id and a body.") from None
    return str(value)


def _as_result_line(custom_id: str, raw: bytes, style: str) -> bytes:
    body = msgspec.Raw(raw.removeprefix(b"\xef\xbb\xbf").strip())
    if style == "messages":
        return msgspec.json.encode(
            {"custom_id": custom_id, "result": {"type": "succeeded", "message": body}}
        )
    response = {"status_code": 200, "body": body}
    return msgspec.json.encode({"custom_id": custom_id, "response": response, "error": None})
