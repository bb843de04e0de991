"""The prompt cache of the Messages API: what a new batch finds in it.

Rows of one batch run at the same time and do not see each other's writes: each of them writes what
it marks. A batch reads what an earlier batch wrote that has ended, while the cache keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tui.sandbox.backend import Backend
from tui.sandbox.bodies import MarkedPrefix, marked_prefix

_MOST_PREFIXES = 64
"""Different prefixes that are remembered of a batch."""

_MARK = b"cache_control"
_HOUR = 3600.0
_MINUTES = 300.0


def cache_facts(backend: Backend, source: Path) -> dict[str, Any]:
    """What a new batch stores about the cache.

    Args:
        backend: The backend of the sandbox, with the earlier batches.
        source: The input lines of the new batch.

    Returns:
        `marked`: the keys that its rows mark, and how many seconds each is kept; `warm`: those of
        them that are in the cache now. Empty if no row marks anything.
    """
    marked = _marked_in(source)
    if not marked:
        return {}
    warm = _warm(backend, set(marked))
    return {"marked": marked, "warm": sorted(warm)}


def _marked_in(source: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    with source.open("rb") as lines:
        for prefix in filter(None, map(_prefix_of_line, lines)):
            found[prefix.key] = _HOUR if prefix.hour else _MINUTES
            if len(found) == _MOST_PREFIXES:
                break
    return found


def _prefix_of_line(line: bytes) -> MarkedPrefix | None:
    if _MARK not in line:
        return None
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    body = entry.get("params") if isinstance(entry, dict) else None
    return marked_prefix(body) if isinstance(body, dict) else None


def _warm(backend: Backend, wanted: Iterable[str]) -> set[str]:
    """The keys that an ended batch has written or read, and that are still kept."""
    now = backend.now()
    found: set[str] = set()
    for batch in backend.batches():
        marked = batch.extra.get("marked")
        if not isinstance(marked, dict):
            continue
        view = backend.view(batch)
        if not view.ended or not view.succeeded:
            continue
        age = now - (view.ended_at or now)
        found |= {key for key in wanted if age <= marked.get(key, -1.0)}
    return found
