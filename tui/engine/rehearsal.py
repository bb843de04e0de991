"""What a retry would change, shown on a few of its rows before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tui.core.differences import Change, changes_between
from tui.core.editing import MAX_TOKENS, check_edits, edit_request
from tui.core.outcome import Outcome
from tui.core.results import UnreadableLineError, decode_lenient
from tui.engine.context import Context
from tui.engine.retrier import RetryPlan
from tui.engine.threads import Stop
from tui.errors import BatchdeckError, UsageError

_LOOKED_AT = 200
"""Rows that are looked through for some that change: enough to find them, never slow."""


@dataclass(frozen=True)
class RehearsedRow:
    """One row of a retry: what would change in its request, or why it cannot be changed."""

    seq: int
    custom_id: str
    changes: tuple[Change, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Rehearsal:
    """A few rows as a retry would send them.

    ``rows`` are those that change, and one that cannot be changed, else the first ones.
    ``looked_at`` rows were looked through, ``unchanged`` of them stay as they are, and
    ``refused`` of them cannot be changed.
    """

    rows: tuple[RehearsedRow, ...]
    looked_at: int
    unchanged: int
    refused: int = 0

    @property
    def problem(self) -> str:
        """Why none of the rows that were looked at can be sent so; empty when one can."""
        if self.refused < self.looked_at:
            return ""
        return next((f"{row.custom_id}: {row.problem}" for row in self.rows if row.problem), "")


def rehearse(
    context: Context,
    plan: RetryPlan,
    edits: Mapping[str, Any],
    encode: Callable[[bytes], bytes] | None = None,
    *,
    count: int = 3,
    stop: Stop | None = None,
) -> Rehearsal:
    """Change a few rows of a plan, in memory; call it in a thread.

    Args:
        context: The engine's surroundings.
        plan: What is to be sent; its own changes do not count.
        edits: The changes.
        encode: Writes a request for the provider, and refuses what it would refuse.
        count: How many rows to show.
        stop: Asked between two rows.

    Raises:
        UsageError: The changes themselves make no sense.
    """
    try:
        check_edits(edits)
    except ValueError as error:
        raise UsageError(str(error)) from None
    told: list[RehearsedRow] = []
    plain: list[RehearsedRow] = []
    refused: list[RehearsedRow] = []
    for seq, line in context.history.newest_requests(plan.job_id, plan.seqs[:_LOOKED_AT]):
        if (stop is not None and stop()) or len(told) == count:
            break
        row = _rehearsed(seq, line, edits, encode)
        (refused if row.problem else told if row.changes else plain).append(row)
    # One that is refused is worth a place among those that go out.
    going = (told or plain)[: count - bool(refused)]
    shown = sorted([*going, *refused[: count - len(going)]], key=lambda row: row.seq)
    looked_at = len(told) + len(plain) + len(refused)
    return Rehearsal(tuple(shown), looked_at, len(plain), len(refused))


def _rehearsed(
    seq: int,
    line: bytes,
    edits: Mapping[str, Any],
    encode: Callable[[bytes], bytes] | None,
) -> RehearsedRow:
    try:
        before = decode_lenient(line)
    except UnreadableLineError as error:
        return RehearsedRow(seq, "", problem=str(error))
    custom_id = str(before.get("custom_id", "")) if isinstance(before, dict) else ""
    try:
        changed = edit_request(line, edits)
        after = decode_lenient(changed)
        if encode is not None:
            encode(changed)
    except (ValueError, BatchdeckError) as error:
        return RehearsedRow(seq, custom_id, problem=str(error))
    payload = "params" if isinstance(before, dict) and "params" in before else "body"
    changes = changes_between(before.get(payload), after.get(payload))
    return RehearsedRow(seq, custom_id, tuple(changes))


def proposed_edits(context: Context, plan: RetryPlan) -> dict[str, Any]:
    """What to offer at first: twice the tokens when most rows were cut off; in a thread."""
    rows = context.history.rows(plan.job_id, plan.seqs[:_LOOKED_AT])
    truncated = sum(row.outcome is Outcome.TRUNCATED for row in rows)
    return {MAX_TOKENS: "x2"} if rows and truncated * 2 >= len(rows) else {}
