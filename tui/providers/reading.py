"""From a provider's batch object to ``RemoteBatch``, as the profile says where things are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui.core.counts import RemoteCounts
from tui.core.remote import BatchIssue, RemoteBatch, ResultKind, ResultSource
from tui.core.status import TERMINAL, BatchStatus
from tui.providers.places import as_number, at, number_at, text_at, time_at
from tui.providers.schema import Profile
from tui.providers.wireform import BatchPlaces, Places
from tui.providers.words import status_of

INTENT_KEY = "batchdeck_batch"
"""The metadata key that holds our own id of a batch."""

_WRAPPERS = ("data", "batch", "job", "result", "file")


def unwrapped(value: Mapping[str, Any], wrapper: str, wanted: Places) -> Mapping[str, Any]:
    """The object inside an answer that wraps it.

    The profile's ``wrapper`` is tried first; then, when the answer has not what is wanted,
    the usual ones. Nothing found: the answer itself.
    """
    for name in (wrapper, *_WRAPPERS):
        inner = at(value, name)
        if name != wrapper and text_at(value, wanted) is not None:
            break
        if isinstance(inner, Mapping) and text_at(inner, wanted) is not None:
            return inner
    return value


def read_batch(
    value: Mapping[str, Any], profile: Profile, rows: int | None = None
) -> RemoteBatch | None:
    """What a batch object says; ``None`` when it has no id and so is none.

    Args:
        value: The object as it came.
        profile: Where things are in it.
        rows: How many rows were sent, where that is known: makes counts of a percentage.
    """
    places = profile.batch
    batch_id = text_at(value, places.id)
    if batch_id is None:
        return None
    word = text_at(value, places.status) or ""
    status = status_of(word, places.status_map)
    metadata = _metadata(value, places)
    return RemoteBatch(
        id=batch_id,
        status=status,
        raw_status=word,
        counts=_counts(value, places, status, rows),
        results=_results(value, profile, status),
        issues=issues_of(at(value, places.errors)),
        input_file_id=_first_text(at(value, places.input)),
        endpoint=text_at(value, places.endpoint),
        intent=metadata.get(INTENT_KEY),
        metadata=metadata,
        created_at=time_at(value, places.created),
        ended_at=_ended_at(value, places, status),
        expires_at=time_at(value, places.expires),
        cost=as_number(at(value, places.cost)),
        raw=dict(value),
    )


def issues_of(value: Any) -> tuple[BatchIssue, ...]:
    """Complaints about a batch in every shape seen.

    ``{"data": […]}`` (OpenAI), a bare list (Groq, Mistral), a list of texts (SiliconFlow), a
    text (Cerebras, Novita, Together), one object (OpenRouter), null.
    """
    if isinstance(value, str):
        return (BatchIssue(message=value),) if value.strip() else ()
    if isinstance(value, Mapping):
        if "data" in value:
            return issues_of(value["data"])
        issue = _issue(value)
        return (issue,) if issue.code or issue.message else ()
    if isinstance(value, list):
        return tuple(issue for item in value for issue in issues_of(item))
    return ()


def _issue(value: Mapping[str, Any]) -> BatchIssue:
    message = text_at(value, ("message", "msg", "detail", "error")) or ""
    count = number_at(value, "count")
    if count is not None and message:
        message = f"{message} ({count} rows)"
    return BatchIssue(
        code=text_at(value, ("code", "type")),
        message=message,
        param=text_at(value, "param"),
        line=number_at(value, ("line", "line_number")),
    )


def _counts(
    value: Mapping[str, Any], places: BatchPlaces, status: BatchStatus, rows: int | None
) -> RemoteCounts:
    done = number_at(value, places.done)
    failed = number_at(value, places.failed)
    cancelled = number_at(value, places.cancelled)
    expired = number_at(value, places.expired)
    waiting = number_at(value, places.processing)
    total = number_at(value, places.total)
    percent = as_number(at(value, places.percent))
    if total is None and waiting is not None:
        total = sum(part or 0 for part in (waiting, done, failed, cancelled, expired))
    if percent is not None and rows is not None and done is None:
        return RemoteCounts(total=rows, completed=int(rows * min(max(percent, 0), 100) / 100))
    if total == 0 and status not in TERMINAL:
        # While validating all counts are zero: that is "unknown", not "none of none".
        return RemoteCounts()
    if places.rest_is_cancelled and status == BatchStatus.CANCELLED and cancelled is None:
        cancelled = max((total or 0) - (done or 0) - (failed or 0), 0)
    return RemoteCounts(
        total=total, completed=done, failed=failed, cancelled=cancelled, expired=expired
    )


def _results(
    value: Mapping[str, Any], profile: Profile, status: BatchStatus
) -> tuple[ResultSource, ...]:
    """Where results are now: also of a batch that expired, failed or was cancelled.

    Before the end only where the provider's files grow, or where nobody knows the status.
    """
    ended = status in TERMINAL
    if not (ended or profile.can.partial_results or status == BatchStatus.UNKNOWN):
        return ()
    kinds: tuple[tuple[ResultKind, Places], ...] = (
        ("output", profile.batch.output),
        ("errors", profile.batch.error),
    )
    found: dict[str, ResultSource] = {}
    for kind, places in kinds:
        if ref := _first_text(at(value, places)):
            # A provider may put both into one file; it is read once.
            found.setdefault(ref, ResultSource(kind=kind, ref=ref, growing=not ended))
    return tuple(found.values())


def _ended_at(value: Mapping[str, Any], places: BatchPlaces, status: BatchStatus) -> float | None:
    if status not in TERMINAL:
        return None
    named = f"{status.value}_at"
    first = (named,) if named in places.ended else ()
    return time_at(value, (*first, *places.ended))


def _metadata(value: Mapping[str, Any], places: BatchPlaces) -> dict[str, str]:
    found = at(value, places.metadata)
    if not isinstance(found, Mapping):
        return {}
    return {str(key): str(text) for key, text in found.items() if text is not None}


def _first_text(value: Any) -> str | None:
    """An id, or the first one of a list of ids."""
    items = value if isinstance(value, list) else [value]
    return next((item for item in items if isinstance(item, str) and item), None)
