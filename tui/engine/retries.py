"""``engine.retries``: which rows a retry would send, and what its edits would change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui.core.analysis.comparison import Change, changes_between
from tui.core.query import RowFilter
from tui.core.requests import MAX_TOKENS, check_edits, edit_request
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.rows import Outcome
from tui.core.send_plans import RetryPlan
from tui.engine.accounts import direct_name
from tui.engine.batches.batch_plan import drop_unfit_rows, make_plan
from tui.engine.context import Context, run_in_thread
from tui.errors import BatchdeckError, UsageError
from tui.progress import NO_PROGRESS, Progress

_SAMPLED = 200
"""Rows searched for some that the edits change: enough to find them, and quick."""


_Encode = Callable[[bytes], bytes]


@dataclass(frozen=True)
class RetryPreviewRow:
    """One row of a retry: the changes in its request, or why the edits fail on it."""

    seq: int
    custom_id: str
    changes: tuple[Change, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class RetryPreview:
    """A few rows as a retry would send them.

    Attributes:
        rows: Rows that change, and one where the edits fail; else the first rows.
        sampled: How many rows were sampled.
        unchanged: How many of them do not change.
        refused: On how many of them the edits fail.
    """

    rows: tuple[RetryPreviewRow, ...]
    sampled: int
    unchanged: int
    refused: int = 0

    @property
    def problem(self) -> str:
        """Why the edits fail on every sampled row; empty if they apply to at least one."""
        if self.refused < self.sampled:
            return ""
        return next((f"{row.custom_id}: {row.problem}" for row in self.rows if row.problem), "")


class Retries:
    """Plans and previews retries; nothing is sent or stored.

    Args:
        context: The engine context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def plan(
        self,
        job_id: str,
        rows: RowFilter | Sequence[int] | None = None,
        edits: Mapping[str, Any] | None = None,
        *,
        include_permanent: bool = False,
        direct: bool = False,
    ) -> RetryPlan:
        """Plan a retry.

        Args:
            job_id: The job.
            rows: A filter or row numbers; by default all failed rows.
            edits: Edits of the request bodies, by dotted path.
            include_permanent: Include rows that would fail again unchanged.
            direct: Send the rows one by one instead of as a batch.

        Raises:
            UsageError: There is nothing to retry, or the edits are invalid.
        """
        job = self._context.history.jobs.get(job_id)
        return await asyncio.to_thread(
            make_plan,
            self._context,
            job,
            rows,
            edits or {},
            include_permanent=include_permanent,
            account=direct_name(job.account) if direct else job.account,
        )

    async def default_edits(self, plan: RetryPlan) -> dict[str, Any]:
        """Default edits for a plan: double ``max_tokens`` if most rows were truncated by it."""
        seqs = plan.seqs[:_SAMPLED]
        rows = await asyncio.to_thread(self._context.history.rows.page, plan.job_id, seqs)
        truncated = sum(row.outcome is Outcome.TRUNCATED for row in rows)
        if not rows or truncated * 2 < len(rows):
            return {}
        doubled = {MAX_TOKENS: "x2"}
        preview = await self.preview(plan, doubled)
        return {} if preview.unchanged == preview.sampled else doubled

    async def fit(self, plan: RetryPlan, *, progress: Progress = NO_PROGRESS) -> RetryPlan:
        """Return the plan without the rows its edits cannot be applied to (``left_out``).

        Raises:
            UsageError: The edits cannot be applied to any row.
        """
        if plan.fitted or not plan.edits:
            return plan
        encode = await self._encoder(plan.account)
        return await run_in_thread(
            lambda running: drop_unfit_rows(self._context, plan, encode, running), progress
        )

    async def preview(
        self,
        plan: RetryPlan,
        edits: Mapping[str, Any],
        *,
        count: int = 3,
        progress: Progress = NO_PROGRESS,
    ) -> RetryPreview:
        """Apply edits to a few rows of a plan in memory.

        Args:
            plan: The rows to retry; the plan's own edits are ignored.
            edits: The edits to preview.
            count: How many rows to show.
            progress: Stops the work.

        Raises:
            UsageError: The edits are invalid.
        """
        try:
            check_edits(edits)
        except ValueError as error:
            raise UsageError(str(error)) from None
        encode = await self._encoder(plan.account)
        return await run_in_thread(
            lambda running: self._preview(plan, edits, encode, count, running), progress
        )

    def _preview(
        self,
        plan: RetryPlan,
        edits: Mapping[str, Any],
        encode: _Encode | None,
        count: int,
        progress: Progress,
    ) -> RetryPreview:
        changed: list[RetryPreviewRow] = []
        unchanged: list[RetryPreviewRow] = []
        failed: list[RetryPreviewRow] = []
        requests = self._context.history.rows.newest_requests(plan.job_id, plan.seqs[:_SAMPLED])
        for seq, line in requests:
            if progress.stopped or len(changed) == count:
                break
            row = _preview_row(seq, line, edits, encode)
            (failed if row.problem else changed if row.changes else unchanged).append(row)
        # Always show one row where the edits fail, if there is one.
        sendable = (changed or unchanged)[: count - bool(failed)]
        shown = sorted([*sendable, *failed[: count - len(sendable)]], key=lambda row: row.seq)
        sampled = len(changed) + len(unchanged) + len(failed)
        return RetryPreview(tuple(shown), sampled, len(unchanged), len(failed))

    async def _encoder(self, account: str) -> _Encode | None:
        """What encodes a request for the provider and raises what the provider would reject."""
        try:
            return (await self._context.accounts.dialect(account)).encode_line
        except BatchdeckError:
            # The preview works without a key; sending will report that it is missing.
            return None


def _preview_row(
    seq: int,
    line: bytes,
    edits: Mapping[str, Any],
    encode: _Encode | None,
) -> RetryPreviewRow:
    try:
        before = decode_lenient(line)
    except UnreadableLineError as error:
        return RetryPreviewRow(seq, "", problem=str(error))
    custom_id = str(before.get("custom_id", "")) if isinstance(before, dict) else ""
    try:
        changed = edit_request(line, edits)
        after = decode_lenient(changed)
        if encode is not None:
            encode(changed)
    except (ValueError, BatchdeckError) as error:
        return RetryPreviewRow(seq, custom_id, problem=str(error))
    payload = "params" if isinstance(before, dict) and "params" in before else "body"
    changes = changes_between(before.get(payload), after.get(payload))
    return RetryPreviewRow(seq, custom_id, tuple(changes))
