"""What is sent: request lines, the body of a create call, and single requests."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tui.errors import InputError, UsageError
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.batch_responses import INTENT_KEY, name_of
from tui.providers.profiles.load import merge_tables
from tui.providers.profiles.model import MetadataField, Profile, RowForm, WindowField
from tui.providers.wire.client import Call

_HOURS = {"h": 1, "d": 24, "": 1}


class Untranslatable(ValueError):
    """A request uses something that its provider does not support; completes "Request 'x' …"."""


def create_body(draft: BatchDraft, profile: Profile) -> dict[str, Any]:
    """Build the body of a create call, without the rows of an inline batch.

    Raises:
        InputError: The provider does not support the completion window.
    """
    create = profile.create
    body: dict[str, Any] = {}
    if draft.file_id is not None and create.input.field:
        body[create.input.field] = [draft.file_id] if create.input.list else draft.file_id
    if create.endpoint_field:
        endpoint = draft.endpoint
        body[create.endpoint_field] = profile.row.url_map.get(endpoint, endpoint)
    if create.model_field and draft.model:
        body[create.model_field] = draft.model
    if create.params_field:
        model = {"model": draft.model} if draft.model else {}
        body[create.params_field] = {**model, **create.params}
    window = window_value(draft.window, create.window, profile.name)
    if window is not None:
        body[create.window.field] = window
    if create.metadata.field and (pairs := build_metadata(draft, create.metadata)):
        body[create.metadata.field] = pairs
    if create.name_field and draft.intent:
        body[create.name_field] = name_of(draft.intent)
    if create.token_field and draft.intent:
        body[create.token_field] = name_of(draft.intent)
    if create.output_expires_seconds:
        body["output_expires_after"] = {
            "anchor": "created_at",
            "seconds": create.output_expires_seconds,
        }
    body = merge_tables(body, create.extra_body)
    first = {name: body.pop(name) for name in create.key_order if name in body}
    return {**first, **body}


def window_value(window: str, field: WindowField, provider: str) -> str | int | None:
    """Convert the completion window for the provider; ``None`` when it has none.

    Raises:
        InputError: It is not a duration, or outside the provider's limits.
    """
    if field.kind == "none" or not field.field:
        return None
    window = window or (field.values[0] if field.values else "24h")
    hours = parse_hours(window)
    if hours is not None and (
        (field.min and hours < field.min) or (field.max and hours > field.max)
    ):
        raise InputError(
            f"{provider} accepts windows from {field.min} to {field.max} hours, not {window}",
            "Choose another completion window.",
        )
    if field.kind == "text":
        return window
    if hours is None:
        raise InputError(f"{window!r} is not a number of hours", "Write it as 24h or 2d.")
    return hours


def parse_hours(window: str) -> int | None:
    """Convert ``24h``, ``2d`` or ``24`` to hours; ``None`` for anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*([hd]?)\s*", window.lower())
    return int(match[1]) * _HOURS[match[2]] if match else None


def build_metadata(draft: BatchDraft, field: MetadataField) -> dict[str, str]:
    """Batchdeck's id of the batch, then the user's metadata within the provider's limits."""
    pairs: dict[str, str] = {}
    if draft.intent:
        pairs[INTENT_KEY] = draft.intent
    for key, text in draft.metadata.items():
        if field.max_pairs and len(pairs) >= field.max_pairs:
            break
        if key not in pairs and not (field.max_key and len(key) > field.max_key):
            pairs[key] = text[: field.max_value] if field.max_value else text
    return pairs


class _Request(msgspec.Struct):
    custom_id: msgspec.Raw
    body: msgspec.Raw
    method: msgspec.Raw = msgspec.Raw(b'"POST"')
    url: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Request).decode
_decode_table = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class LineEncoder:
    """Encodes request lines in the row format of a profile.

    Unchanged parts are copied byte for byte, which keeps numbers and escapes as the user wrote
    them.
    """

    def __init__(self, form: RowForm, provider: str) -> None:
        self._form = form
        self._provider = provider
        self._urls = {old: _encode(new) for old, new in form.url_map.items()}

    @property
    def is_identity(self) -> bool:
        """Whether all lines are sent unchanged."""
        form = self._form
        return form.style == "full" and form.model == "row" and not form.url_map and not form.keep

    def write(self, line: bytes) -> bytes:
        """Encode one request line.

        Raises:
            InputError: The line is not a request, or sets a parameter that the provider accepts
                only for the whole batch.
        """
        if self.is_identity:
            return line
        try:
            request = _decode(line)
            body = self._body(request.body)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InputError(f"A request cannot be read: {error}", "Check the file.") from None
        table: dict[str, Any] = {"custom_id": request.custom_id}
        if self._form.style == "full":
            table["method"] = request.method
            table["url"] = self._url(request.url)
        table["body"] = body
        return _encode(table)

    def _url(self, url: msgspec.Raw) -> msgspec.Raw:
        if not self._urls or not bytes(url):
            return url
        mapped = self._urls.get(_decode_text(url))
        return url if mapped is None else msgspec.Raw(mapped)

    def _body(self, body: msgspec.Raw) -> Any:
        form = self._form
        if form.model == "row" and not form.keep:
            return body
        table = _decode_table(body)
        if form.model == "batch":
            table.pop("model", None)
        if form.keep:
            for name in table:
                if name not in form.keep:
                    raise InputError(
                        f"{self._provider} accepts {name!r} only for the whole batch, not per row",
                        "Remove it from the rows and set it in create.params of the profile.",
                    )
        return table


ANSWER_REQUEST = "answer the request"
"""The action of such a call in errors: "failed to …"."""

_VERSION = re.compile(r"/v\d+(?=/)")


class _SingleRequest(msgspec.Struct):
    body: msgspec.Raw
    url: str = "/v1/chat/completions"


_decode_single = msgspec.json.Decoder(_SingleRequest).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def single_request_call(profile: Profile, request: bytes, *, has_path: bool) -> Call:
    """Build the call for one request line; it is not retried, because it costs money.

    If the base URL has a path (``…/openai/v1``), the version at the start of the request's url is
    removed. ScaleDown accepts the body of a batch row unchanged ("batch parity" on the vendor's
    page about OpenAI compatibility).

    Args:
        profile: The provider.
        request: ``custom_id``, ``method``, ``url`` and ``body`` as JSON.
        has_path: Whether the account's base URL has a path.

    Raises:
        InputError: The line is not a request.
        UsageError: The provider has no such endpoint.
    """
    try:
        found = _decode_single(request)
        body = _decode_object(found.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the request cannot be read: {error}", "Check the file.") from None
    path = _without_version(found.url)
    if path not in map(_without_version, profile.endpoints):
        # Any other path could create or delete something at the provider.
        raise UsageError(
            f"{profile.name} has no endpoint {found.url!r}",
            f"Available endpoints: {', '.join(profile.endpoints)}.",
        )
    return Call(
        "POST",
        path if has_path else found.url,
        ANSWER_REQUEST,
        idempotent=False,
        json=body,
        read_timeout=profile.http.send_seconds,
    )


def _without_version(path: str) -> str:
    return _VERSION.sub("", path, count=1) if _VERSION.match(path) else path
