"""Reads the objects of a provider's responses with the JSON paths of its profile."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from tui.core import json_path
from tui.core.jobs import TERMINAL, BatchStatus, RemoteCounts
from tui.core.remote_batches import (
    BatchIssue,
    RemoteBatch,
    ResultKind,
    ResultSource,
    joined_refs,
)
from tui.providers.profiles.model import BatchPaths, JsonPaths, Profile
from tui.providers.profiles.statuses import normalise_status

T = TypeVar("T")

_LARGEST_SECONDS = 1e11
"""Larger numbers are milliseconds; as seconds they would be after the year 5000."""


def value_at(value: Any, paths: JsonPaths) -> Any:
    """The value at the first path that has one, or ``None``; see ``tui.core.json_path``."""
    return _first(value, paths, lambda found: found)


def number_at(value: Any, paths: JsonPaths) -> int | None:
    """The first non-negative number at the paths as an integer, also from a string of digits."""

    def whole(found: Any) -> int | None:
        number = as_number(found)
        return int(number) if number is not None and number >= 0 else None

    return _first(value, paths, whole)


def text_at(value: Any, paths: JsonPaths) -> str | None:
    """A non-empty string at the paths; an integer is converted."""
    found = value_at(value, paths)
    if isinstance(found, bool) or not isinstance(found, (str, int)) or found == "":
        return None
    return str(found)


_LONGEST_ID = 4096
"""Characters; gateways put routes, models and further ids into one (LiteLLM)."""


def id_at(value: Any, paths: JsonPaths) -> str | None:
    """An id at the paths; ``None`` for a text that cannot be one.

    An id is put into paths of requests, where ``.`` and ``..`` lead elsewhere, and is shown.
    """
    found = text_at(value, paths)
    if found is None or len(found) > _LONGEST_ID or found.strip(".") == "":
        return None
    return found


def time_at(value: Any, paths: JsonPaths) -> float | None:
    """A time at the paths in Unix seconds; see ``as_time``."""
    return _first(value, paths, as_time)


def _first(value: Any, paths: JsonPaths, read: Callable[[Any], T | None]) -> T | None:
    for path in (paths,) if isinstance(paths, str) else paths:
        if (found := read(json_path.get(value, path))) is not None:
            return found
    return None


def as_number(value: Any) -> float | None:
    """Convert a number or numeric string; ``None`` for anything else, including NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e18 else None


def as_time(value: Any) -> float | None:
    """Convert a time in any known format to Unix seconds: number, string of digits, ISO 8601.

    Milliseconds are recognised by their size. Zero, which Go servers send for "never", and times
    before 1970 are ``None``. A time without a zone is UTC.
    """
    seconds = as_number(value)
    if seconds is None:
        return _as_iso_time(value) if isinstance(value, str) else None
    if seconds <= 0:
        return None
    while seconds > _LARGEST_SECONDS:
        seconds /= 1000
    return seconds


def _as_iso_time(text: str) -> float | None:
    # Python does not parse nanoseconds or a space before the zone.
    tidy = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    tidy = re.sub(r"\s+(?=[+-]\d\d:?\d\d$)|\s*UTC$", "", tidy)
    try:
        moment = datetime.fromisoformat(tidy)
    except ValueError:
        return None
    try:
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, OSError):
        return None
    return seconds if seconds > 0 else None


INTENT_KEY = "batchdeck_batch"
"""The metadata key of Batchdeck's own id of a batch."""

_NAME_PREFIX = "bd-"

_CANCEL_SETTLES_SECONDS = 900.0
"""How long after a cancel rows may still be counted as running before that is not believed."""


def name_of(intent: str) -> str:
    """The name of a batch with our id, for providers without metadata."""
    return f"{_NAME_PREFIX}{intent}"


def intent_of(name: str | None) -> str | None:
    """Our id in the name of a batch; ``None`` if the name is not one of ours."""
    if name is None or not name.startswith(_NAME_PREFIX):
        return None
    return name.removeprefix(_NAME_PREFIX) or None


_WRAPPERS = ("data", "batch", "job", "result", "file")


def unwrap_object(value: Mapping[str, Any], wrapper: str, wanted: JsonPaths) -> Mapping[str, Any]:
    """Unwrap the object in a response.

    Args:
        value: The response.
        wrapper: The profile's wrapper key, tried first.
        wanted: Paths of a value that the object must have. The usual wrapper keys are tried if
            neither the profile's wrapper nor the response itself has it.

    Returns:
        The inner object, or the response itself.
    """
    for name in (wrapper, *_WRAPPERS):
        inner = value_at(value, name)
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        if name != wrapper and text_at(value, wanted) is not None:
            break
        if isinstance(inner, Mapping) and text_at(inner, wanted) is not None:
            return inner
    return value


def read_batch(
    value: Mapping[str, Any],
    profile: Profile,
    rows: int | None = None,
    now: float | None = None,
) -> RemoteBatch | None:
    """Read a batch object; ``None`` when it has no id and so is not a batch.

    Args:
        value: The object of the response.
        profile: The profile with the paths into it.
        rows: The number of rows sent, if known; turns a percentage into counts.
        now: Unix seconds, for providers whose status follows from times.
    """
    paths = profile.batch
    batch_id = id_at(value, paths.id)
    if batch_id is None:
        return None
    if paths.status_rule == "counts":
        status = _status_by_counts(value, paths, time.time() if now is None else now)
        word = status.value
    else:
        word = text_at(value, paths.status) or ""
        status = normalise_status(word, paths.status_map)
    metadata = _metadata(value, paths)
    name = text_at(value, paths.name)
    intent = metadata.get(INTENT_KEY) or intent_of(name)
    if name and intent is None:
        # A name that is not ours shows that the batch is another program's.
        metadata.setdefault("name", name)
    created = time_at(value, paths.created)
    cost = as_number(value_at(value, paths.cost))
    counts = _counts(value, paths, status, rows)
    ended = status in TERMINAL
    # A word that says that it runs may be stale: its time of end and the counts tell the end.
    shows_end = ended or status is BatchStatus.UNKNOWN or _is_over(value, paths, counts)
    return RemoteBatch(
        id=batch_id,
        status=status,
        raw_status=word,
        counts=msgspec.structs.replace(
            counts,
            input_tokens=number_at(value, paths.input_tokens),
            output_tokens=number_at(value, paths.output_tokens),
        ),
        results=_results(value, profile, batch_id, ended=ended, shows_end=shows_end),
        issues=parse_issues(value_at(value, paths.errors)) or _reasons(value, status),
        input_file_id=_first_text(value_at(value, paths.input)),
        endpoint=text_at(value, paths.endpoint),
        intent=intent,
        metadata=metadata,
        created_at=created,
        ended_at=_ended_at(value, paths, status) if shows_end else None,
        expires_at=time_at(value, paths.expires) or _expiry(created, profile),
        cost=None if cost is None else cost * paths.cost_scale,
        model=text_at(value, paths.model),
        raw=dict(value),
    )


_REASONS = (
    "failure_reason", "failed_reason", "fail_reason", "failure_message", "status_message",
    "status_details", "error_message",
)  # fmt: skip


def _reasons(value: Mapping[str, Any], status: BatchStatus) -> tuple[BatchIssue, ...]:
    """Why a batch failed, where servers say it in a field of its own."""
    if status is not BatchStatus.FAILED:
        # Such a field may also say how a batch is getting on.
        return ()
    return parse_issues(value_at(value, _REASONS))


def _expiry(created: float | None, profile: Profile) -> float | None:
    """When a batch ends without results, by its age; ``None`` if the provider sets no limit."""
    hours = profile.limits.expires_hours
    return created + hours * 3600.0 if created is not None and hours else None


def _status_by_counts(value: Mapping[str, Any], paths: BatchPaths, now: float) -> BatchStatus:
    """The status of a batch whose provider has no word for it; see ``BatchPaths``."""
    if parse_issues(value_at(value, paths.errors)):
        return BatchStatus.FAILED
    total, left = number_at(value, paths.total), number_at(value, paths.processing)
    expires = time_at(value, paths.expires)
    is_over = expires is not None and expires <= now
    if (stopped := time_at(value, paths.stopped)) is not None:
        settles = now < stopped + _CANCEL_SETTLES_SECONDS and not is_over
        return BatchStatus.CANCELLING if left and settles else BatchStatus.CANCELLED
    if not total:
        return BatchStatus.EXPIRED if is_over else BatchStatus.VALIDATING
    if left:
        return BatchStatus.EXPIRED if is_over else BatchStatus.IN_PROGRESS
    return BatchStatus.COMPLETED


def parse_issues(value: Any) -> tuple[BatchIssue, ...]:
    """Read the errors of a batch in any known format.

    ``{"data": […]}`` (OpenAI), a list of objects (Groq, Mistral), a list of strings (SiliconFlow),
    a string (Cerebras, Novita, Together), one object (OpenRouter), or null.
    """
    if isinstance(value, str):
        return (_issue({"message": value}),) if value.strip() else ()
    if isinstance(value, Mapping):
        for name in ("data", "errors"):
            if isinstance(value.get(name), list) and value[name]:
                return parse_issues(value[name])
        issue = _issue(value)
        if issue.code or issue.message:
            return (issue,)
        # Lists of messages by the line or the field that they are about.
        return tuple(
            msgspec.structs.replace(inner, message=f"{name}: {inner.message or inner.code}")
            for name, inners in value.items()
            if isinstance(inners, list | Mapping)
            for inner in parse_issues(inners)
        )
    if isinstance(value, list):
        return tuple(issue for item in value for issue in parse_issues(item))
    return ()


def _issue(value: Mapping[str, Any]) -> BatchIssue:
    message = text_at(value, ("message", "msg", "detail", "error")) or ""
    count = number_at(value, "count")
    if count is not None and message:
        message = f"{message} ({count} rows)"
    line = number_at(value, ("line", "line_number"))
    if line is None and (match := _LINE.match(message)):
        line, message = int(match[1]), message[match.end() :]
    return BatchIssue(
        code=text_at(value, ("code", "type")),
        message=message,
        param=text_at(value, "param"),
        line=line,
    )


_LINE = re.compile(r"(?i)\s*line\s+#?(\d{1,9})\s*[:,]\s*(?=\S)")
"""How a message names the line that it is about."""


def _counts(
    value: Mapping[str, Any], paths: BatchPaths, status: BatchStatus, rows: int | None
) -> RemoteCounts:
    done = number_at(value, paths.done)
    failed = number_at(value, paths.failed)
    cancelled = number_at(value, paths.cancelled)
    expired = number_at(value, paths.expired)
    waiting = number_at(value, paths.processing)
    total = number_at(value, paths.total)
    percent = as_number(value_at(value, paths.percent))
    if total is None and waiting is not None:
        total = sum(part or 0 for part in (waiting, done, failed, cancelled, expired))
    if percent is not None and rows is not None and done is None:
        return RemoteCounts(total=rows, completed=int(rows * min(max(percent, 0), 100) / 100))
    if total == 0 and status not in TERMINAL:
        # All counts are 0 while the batch is validated, which means "unknown".
        return RemoteCounts()
    if paths.rest_is_cancelled and status == BatchStatus.CANCELLED and cancelled is None:
        cancelled = max((total or 0) - (done or 0) - (failed or 0), 0)
    return RemoteCounts(
        total=total, completed=done, failed=failed, cancelled=cancelled, expired=expired
    )


def _results(
    value: Mapping[str, Any], profile: Profile, batch_id: str, *, ended: bool, shows_end: bool
) -> tuple[ResultSource, ...]:
    """The available results, also of a batch that expired, failed or was cancelled.

    Before the end there are results only with ``partial_results``, or if it may have ended.
    """
    if not (shows_end or profile.can.partial_results):
        return ()
    if profile.results.items:
        route = profile.paths.results.replace("{id}", quote(batch_id, safe=""))
        source = ResultSource(kind="output", ref=route, growing=not ended, deletable=False)
        return (source,) if number_at(value, profile.batch.total) else ()
    kinds: tuple[tuple[ResultKind, JsonPaths], ...] = (
        ("output", profile.batch.output),
        ("errors", profile.batch.error),
    )
    found: list[ResultSource] = []
    named: set[str] = set()
    for kind, paths in kinds:
        # If both references name the same file, it is read once.
        refs = [ref for ref in _texts(value_at(value, paths)) if ref not in named]
        named.update(refs)
        if refs:
            found.append(ResultSource(kind=kind, ref=joined_refs(refs), growing=not ended))
    return tuple(found)


def _ended_at(value: Mapping[str, Any], paths: BatchPaths, status: BatchStatus) -> float | None:
    own = f"{status.value}_at"
    first = (own,) if own in paths.ended else ()
    return time_at(value, (*first, *paths.ended))


def _is_over(value: Mapping[str, Any], paths: BatchPaths, counts: RemoteCounts) -> bool:
    """Whether every row is counted as ended, and a time is given at which the batch ended."""
    return counts.are_full and time_at(value, paths.ended) is not None


def _metadata(value: Mapping[str, Any], paths: BatchPaths) -> dict[str, str]:
    found = value_at(value, paths.metadata)
    if not isinstance(found, Mapping):
        return {}
    return {str(key): str(text) for key, text in found.items() if text is not None}


def _first_text(value: Any) -> str | None:
    return next(iter(_texts(value)), None)


def _texts(value: Any) -> list[str]:
    """Ids, or the ids or addresses of objects: one, or each of a list once."""
    found: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):
            item = text_at(item, ("id", "file_id", "url", "download_url"))
        if type(item) is int:
            found.append(str(item))
        elif isinstance(item, str) and item.strip(".") and "\n" not in item:
            found.append(item)
    return list(dict.fromkeys(found))
