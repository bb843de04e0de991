"""What a retry would change, as lines for a person and as a document for a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tui.cli import words
from tui.cli.output import clean, paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.compose.estimate import Estimate
    from tui.core.differences import Change
    from tui.engine.rehearsal import Rehearsal
    from tui.engine.retrier import RetryPlan

_LONGEST = 400


def rehearsal_document(plan: RetryPlan, rehearsal: Rehearsal) -> dict[str, Any]:
    """The plan and its first rows; a change has no ``before`` or ``after`` where nothing was."""
    return {
        "job": plan.job_id,
        "account": plan.account,
        "model": plan.model,
        "attempt": plan.attempt,
        "rows": plan.rows,
        "permanent": plan.permanent,
        "left_out": plan.left_out,
        "edits": dict(plan.edits),
        "preview": [
            {
                "custom_id": row.custom_id,
                "changes": [_change_document(change) for change in row.changes],
                "problem": row.problem or None,
            }
            for row in rehearsal.rows
        ],
    }


def rehearsal_lines(
    plan: RetryPlan, rehearsal: Rehearsal, estimate: Estimate | None, *, free: bool
) -> Iterator[str]:
    """The diff of a few rows, then rows and cost."""
    from tui.engine.budgeting import cost_range

    for row in rehearsal.rows:
        yield paint(clean(row.custom_id), "bold", sys.stdout)
        if row.problem:
            yield paint(f"  ! {clean(row.problem)}", "red", sys.stdout)
        elif not row.changes:
            yield paint("  goes out as it is", "dim", sys.stdout)
        for change in row.changes:
            yield from _change_lines(change)
        yield ""
    cost = "free" if free else "-" if estimate is None else cost_range(estimate)
    of = f" for {clean(plan.model)}" if plan.model else ""
    yield f"{words.plural(plan.rows, 'row')}{of} with account {clean(plan.account)}; cost: {cost}."
    yield "Nothing was sent."


def _change_document(change: Change) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = {"path": change.path}
    for name in ("before", "after"):
        value = getattr(change, name)
        if value is not msgspec.UNSET:
            document[name] = value
    return document


def _change_lines(change: Change) -> Iterator[str]:
    import msgspec

    from tui.core.differences import text_changes

    before, after = change.before, change.after
    sides: list[tuple[str, Any]] = [("-", before), ("+", after)]
    if isinstance(before, str) and isinstance(after, str) and before and after:
        pieces = text_changes(before, after)
        sides = [
            ("-", "".join(text for side, text in pieces if side != "added")),
            ("+", "".join(text for side, text in pieces if side != "removed")),
        ]
    for sign, shown in sides:
        if shown is msgspec.UNSET:
            continue
        text = shown if isinstance(shown, str) else msgspec.json.encode(shown).decode()
        line = f"  {sign} {clean(change.path)}: {clean(text[:_LONGEST])}"
        yield paint(line, "red" if sign == "-" else "green", sys.stdout)
