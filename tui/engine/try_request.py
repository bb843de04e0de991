"""Try a single request synchronously, outside any batch."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from tui.compose.checks.clean import clean_requests
from tui.core.results.readers import READERS
from tui.core.rows import RowResult
from tui.core.text import BOM
from tui.engine.context import Context
from tui.errors import InputError, UsageError

_decode_id = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True)
class TryResult:
    """A request and its answer.

    Attributes:
        account: The account that was used.
        provider_name: The provider's display name.
        custom_id: The id of the request.
        request: The request line.
        result: The parsed answer.
        raw: The response body as the provider sent it.
        seconds: How long the answer took.
    """

    account: str
    provider_name: str
    custom_id: str
    request: bytes
    result: RowResult
    raw: bytes
    seconds: float


async def try_request(context: Context, account: str, row: bytes | Path, number: int) -> TryResult:
    """Send one request to an account's provider; see ``Engine.try_request``."""
    request = row
    if isinstance(request, Path):
        request = await asyncio.to_thread(_request_at, context, account, request, number)
    custom_id = _id_of(request)
    dialect = await context.accounts.dialect(account)
    if not dialect.capabilities.answers_single_requests:
        name = context.accounts.info(account).provider_name
        raise UsageError(
            f"{name} does not accept single requests",
            "Submit a small job instead: `submit --sample 5`.",
        )
    started = time.monotonic()
    raw = await dialect.ask(request)
    seconds = time.monotonic() - started
    line = _as_result_line(custom_id, raw, dialect.result_style)
    return TryResult(
        account=account,
        provider_name=context.accounts.info(account).provider_name,
        custom_id=custom_id,
        request=request,
        result=READERS[dialect.result_style](line, dialect.retry_rules),
        raw=raw,
        seconds=seconds,
    )


def _request_at(context: Context, account: str, path: Path, number: int) -> bytes:
    """The request with this number in a file, counted from 1.

    Raises:
        UsageError: The number is less than 1.
        InputError: The file has fewer requests, or an earlier line is invalid.
    """
    if number < 1:
        raise UsageError(f"there is no request {number}", "Requests are numbered from 1.")
    requests = clean_requests(path, fix=True, limits=context.accounts.limits(account))
    found = next(islice(requests, number - 1, None), None)
    if found is None:
        raise InputError(f"there is no request {number}", "The file has fewer requests.", path=path)
    return found.line


def _id_of(request: bytes) -> str:
    try:
        value = msgspec.json.decode(_decode_id(request)["custom_id"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        raise InputError("the request cannot be read", "It needs a custom_id and a body.") from None
    return str(value)


def _as_result_line(custom_id: str, raw: bytes, style: str) -> bytes:
    body = msgspec.Raw(raw.removeprefix(BOM).strip())
    if style == "messages":
        return msgspec.json.encode(
            {"custom_id": custom_id, "result": {"type": "succeeded", "message": body}}
        )
    response = {"status_code": 200, "body": body}
    return msgspec.json.encode({"custom_id": custom_id, "response": response, "error": None})
