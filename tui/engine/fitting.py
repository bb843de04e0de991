"""Which rows of a retry its changes fit: the others are left out before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tui.core.editing import edit_request
from tui.engine.context import Context
from tui.engine.retrier import RetryPlan
from tui.engine.threads import Stop
from tui.errors import BatchdeckError, UsageError


def fit(
    context: Context,
    plan: RetryPlan,
    encode: Callable[[bytes], bytes] | None = None,
    stop: Stop | None = None,
) -> RetryPlan:
    """Change every row of a plan, in memory, and leave out those that cannot be; in a thread.

    Args:
        context: The engine's surroundings.
        plan: The rows and their changes; one that was fitted is given back as it is.
        encode: Writes a request for the provider, and refuses what it would refuse; without
            it the plan has to be fitted once more before it is sent.
        stop: Asked between two rows; a plan whose fitting was stopped is not fitted.

    Raises:
        UsageError: No row can be changed so.
    """
    if plan.fitted or not plan.edits:
        return plan
    kept: list[int] = []
    why = ""
    for seq, line in context.history.newest_requests(plan.job_id, plan.seqs):
        if stop is not None and stop():
            return plan
        try:
            changed = edit_request(line, plan.edits)
            if encode is not None:
                encode(changed)
        except (ValueError, BatchdeckError) as error:
            why = why or str(error)
            continue
        kept.append(seq)
    if not kept:
        raise UsageError(f"the change cannot be made: {why}", "Nothing was sent.")
    left_out = plan.left_out + plan.rows - len(kept)
    return replace(
        plan, seqs=kept, left_out=left_out, why_left=plan.why_left or why, fitted=encode is not None
    )
