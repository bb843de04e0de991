"""The sections of a profile that say how things are written and where they are read.

The defaults are OpenAI's own files-and-batches API, so that a profile only names what is
different. Places (``batch.total`` and the like) are dotted paths into the provider's JSON;
several may be given, the first that holds a value is read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from tui.core.status import BatchStatus

Places = str | tuple[str, ...]
"""A dotted path into a JSON object, or several to try in turn; ``""`` is nowhere."""

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a profile; an unknown key is an error, so that a slip is seen."""


class Auth(Section, frozen=True):
    """How the key travels: ``header: scheme key``, or ``header: key`` without a scheme.

    ``env`` are the variables that usually hold the key. Without ``required`` an account
    works without a key, and sends one when it has one.
    """

    header: str = "Authorization"
    scheme: str = "Bearer"
    env: tuple[str, ...] = ()
    required: bool = True


class Paths(Section, frozen=True):
    """Routes under the base address, ``{id}`` is filled in; a method may stand before one.

    An empty route is one that the provider does not have.
    """

    upload: str = "/files"
    file: str = "/files/{id}"
    content: str = "/files/{id}/content"
    file_delete: str = "/files/{id}"
    create: str = "/batches"
    get: str = "/batches/{id}"
    list: str = "/batches"
    cancel: str = "/batches/{id}/cancel"
    delete: str = ""
    results: str = ""
    models: str = "/models"
    retry: str = ""
    retry_rows: str = ""
    estimate: str = ""
    count_tokens: str = ""


class Upload(Section, frozen=True):
    """The multipart form of a file of requests, and what its answer looks like.

    ``expires_style`` says how form keys are nested: ``expires_after[seconds]`` or
    ``expires_after.seconds``; nothing is sent while ``expires_seconds`` is 0. With
    ``wait_status`` a batch is made only when the file has one of these statuses.
    ``delete_means_done`` are the error statuses that a server gives though the file is gone.
    """

    purpose_field: str = "purpose"
    purpose: str = "batch"
    file_field: str = "file"
    name_field: str = ""
    content_type: str = "application/jsonl"
    extra_form: dict[str, str] = {}
    unwrap: str = ""
    expires_style: Literal["brackets", "dots", "none"] = "brackets"
    expires_seconds: Count = 0
    wait_status: tuple[str, ...] = ()
    wait_seconds: Seconds = 600
    delete_means_done: tuple[int, ...] = ()


class RowForm(Section, frozen=True):
    """How a request is written on the wire.

    ``full`` is ``custom_id, method, url, body``; ``body`` is ``custom_id, body``. With
    ``model = "batch"`` the model is said once at the create and left out of the rows.
    ``keep`` are the body keys that a row may have (none named: all); another one is refused,
    because it would be lost. ``url_map`` renames ``url`` values.
    """

    style: Literal["full", "body"] = "full"
    model: Literal["row", "batch"] = "row"
    keep: tuple[str, ...] = ()
    url_map: dict[str, str] = {}


class InputField(Section, frozen=True):
    """Where a create call names its file; ``list`` wraps the id in an array."""

    field: str = "input_file_id"
    list: bool = False


class WindowField(Section, frozen=True):
    """How the completion window is said: as text (``24h``), as hours (24), or not at all.

    ``values`` are offered to the person, the first is the default; ``min`` and ``max``, in
    hours, bound other values (0: no bound).
    """

    field: str = "completion_window"
    kind: Literal["text", "hours", "none"] = "text"
    values: tuple[str, ...] = ("24h",)
    min: Count = 0
    max: Count = 0


class MetadataField(Section, frozen=True):
    """Where a batch takes free pairs of text, and how many; an empty field: nowhere."""

    field: str = "metadata"
    max_pairs: Count = 16
    max_key: Count = 64
    max_value: Count = 512


class Create(Section, frozen=True):
    """The JSON body of a create call, and what its answer looks like.

    ``params_field`` holds what is common to all rows (Voyage): ``params`` and the model.
    ``key_order`` names keys that come first; ``requests_field`` of an inline batch is always
    the last key. ``output_expires_seconds`` above 0 is sent as ``output_expires_after``.
    """

    input: InputField = InputField()
    endpoint_field: str = "endpoint"
    model_field: str = ""
    params_field: str = ""
    params: dict[str, Any] = {}
    window: WindowField = WindowField()
    metadata: MetadataField = MetadataField()
    requests_field: str = "requests"
    output_expires_seconds: Count = 0
    idempotency_header: str = ""
    extra_body: dict[str, Any] = {}
    key_order: tuple[str, ...] = ()
    unwrap: str = ""


class BatchPlaces(Section, frozen=True):
    """Where things are in a batch object, and what its status words mean.

    ``done`` counts the rows that succeeded. ``rest_is_cancelled``: in a cancelled batch the
    rows that are neither done nor failed were cancelled. ``ended`` are tried in turn, the
    place that is named after the status first.
    """

    id: Places = ("id", "batch_id")
    status: Places = "status"
    total: Places = ("request_counts.total", "total_count")
    processing: Places = "request_counts.processing"
    done: Places = ("request_counts.completed", "request_counts.succeeded", "completed_count")
    failed: Places = ("request_counts.failed", "request_counts.errored", "failed_count")
    cancelled: Places = ("request_counts.cancelled", "request_counts.canceled")
    expired: Places = "request_counts.expired"
    percent: Places = ""
    rest_is_cancelled: bool = False
    output: Places = "output_file_id"
    error: Places = "error_file_id"
    inline: Places = "results"
    errors: Places = ("errors", "error")
    input: Places = "input_file_id"
    endpoint: Places = "endpoint"
    metadata: Places = "metadata"
    created: Places = "created_at"
    ended: tuple[str, ...] = (
        "completed_at",
        "failed_at",
        "cancelled_at",
        "expired_at",
        "finalized_at",
        "ended_at",
    )
    expires: Places = "expires_at"
    cost: Places = "usage.cost"
    status_map: dict[str, BatchStatus] = {}


class Listing(Section, frozen=True):
    """How lists are paged.

    ``after``: the last id goes into ``cursor_param``; ``cursor`` and ``token``: the value at
    ``next`` does; ``page``: pages are counted from ``first_page``. ``limit`` 0: no limit is
    sent. ``items`` may be ``""`` for a bare array; that and ``value`` are read anyway.
    """

    items: str = "data"
    paging: Literal["after", "cursor", "token", "page", "none"] = "after"
    limit_param: str = "limit"
    limit: Count = 100
    cursor_param: str = "after"
    next: Places = ""
    first_page: Count = 0


class Content(Section, frozen=True):
    """How a download goes on where it stopped: from a byte, from a line, or not at all."""

    resume: Literal["range", "skip", "none"] = "range"
    skip_params: tuple[str, ...] = ("skip",)
