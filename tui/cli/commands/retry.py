"""``retry``: send failed rows again, with edits and a preview of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli.commands.submit import confirm_cost, follow, print_jobs
from tui.cli.errors import EXIT_OK, EXIT_USAGE
from tui.cli.formatting import cost_document
from tui.cli.options import (
    FAILED_OUTCOMES,
    Settings,
    budget_option,
    job_argument,
    row_filter,
    row_options,
    set_option,
    shared,
    wait_option,
    yes_option,
)
from tui.cli.output import clean, paint, print_result, say
from tui.cli.session import run
from tui.core.formatting import counted
from tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.compose.estimate import Estimate
    from tui.core.analysis.comparison import Change
    from tui.core.send_plans import RetryPlan
    from tui.engine.engine import Engine
    from tui.engine.retries import RetryPreview


_MAX_CHARACTERS = 400


def _preview_document(
    plan: RetryPlan, preview: RetryPreview, estimate: Estimate | None
) -> dict[str, Any]:
    """The plan and its first rows; an added field has no ``before``, a removed one no ``after``."""
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
            for row in preview.rows
        ],
        "cost": None if estimate is None else cost_document(estimate),
    }


def _preview_lines(
    plan: RetryPlan, preview: RetryPreview, estimate: Estimate | None, *, free: bool
) -> Iterator[str]:
    """The diff of the first rows, then the number of rows and the cost."""
    from tui.engine.costs.budget import cost_text

    for row in preview.rows:
        yield paint(clean(row.custom_id), "bold", sys.stdout)
        if row.problem:
            yield paint(f"  ! {clean(row.problem)}", "red", sys.stdout)
        elif not row.changes:
            yield paint("  no change", "dim", sys.stdout)
        for change in row.changes:
            yield from _change_lines(change)
        yield ""
    cost = "free" if free else "-" if estimate is None else cost_text(estimate)
    target = f" for {clean(plan.model)}" if plan.model else ""
    rows = counted(plan.rows, "row")
    yield f"{rows}{target} with account {clean(plan.account)}; cost: {cost}."
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

    from tui.core.analysis.comparison import text_changes

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
        line = f"  {sign} {clean(change.path)}: {clean(text[:_MAX_CHARACTERS])}"
        yield paint(line, "red" if sign == "-" else "green", sys.stdout)


class _Tokens(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A number of tokens, or a factor for the value of each row: ``2000``, ``x2``."""

    name = "tokens"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        from tui.core.requests import parse_max_tokens

        try:
            return parse_max_tokens(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def retry_edits(
    edits: Sequence[tuple[str, Any]],
    model: str | None,
    unset: Sequence[str],
    max_tokens: int | str | None,
    system: str | None,
) -> Mapping[str, Any]:
    """Combine the options that edit requests into one edit (see ``tui.core.requests``)."""
    from tui.core.requests import MAX_TOKENS, SYSTEM

    changes = dict(edits)
    if model is not None:
        changes["model"] = model
    changes.update(dict.fromkeys(unset))
    if max_tokens is not None:
        changes[MAX_TOKENS] = max_tokens
    if system:
        changes[SYSTEM] = system
    return changes


@click.command(short_help="Retry failed rows.")
@job_argument
@row_options
@set_option
@click.option("--unset", multiple=True, metavar="KEY", help="Remove a field from every body.")
@click.option("--model", metavar="MODEL", help="Use another model.")
@click.option(
    "--max-tokens",
    type=_Tokens(),
    metavar="N|x2",
    help="Set max_tokens to N, or multiply the value of each row by a factor.",
)
@click.option(
    "--system-append", "system", metavar="TEXT", help="Append TEXT to every system message."
)
@click.option(
    "--all", "include_permanent", is_flag=True, help="Include rows that would fail again unchanged."
)
@click.option("--direct", is_flag=True,
              help="Send rows one by one to the synchronous endpoint, not as a batch.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Send nothing; show a diff of the first rows.")
@budget_option
@wait_option
@yes_option
@shared
def retry(
    settings: Settings,
    job: str,
    edits: tuple[tuple[str, Any], ...],
    unset: tuple[str, ...],
    model: str | None,
    max_tokens: int | str | None,
    system: str | None,
    include_permanent: bool,
    direct: bool,
    dry_run: bool,
    budget: float | None,
    wait: bool,
    **selection: Any,
) -> int:
    """Retry rows of a JOB: all failed rows, or those that the options select.

    Unless an outcome, a group, a field of the answer or a review is given, only failed rows are
    retried. Edits apply to the
    newest request of each row, so a second retry keeps the edits of the first.
    """
    changes = retry_edits(edits, model, unset, max_tokens, system)

    async def work(engine: Engine) -> int:
        import msgspec

        found = engine.history.jobs.find(job)
        # Outcomes or a code select exactly those rows, even if they would fail again.
        everything = include_permanent or bool(selection["outcomes"] or selection["code"])
        chosen = row_filter(**selection)
        if not chosen.selects_answers:
            chosen = row_filter(**{**selection, "outcomes": FAILED_OUTCOMES})
        if not dry_run:
            await engine.look_for_late_answers(found.id)
        plan = await engine.retries.plan(
            found.id, chosen, changes, include_permanent=everything, direct=direct
        )
        if plan.permanent and not plan.edits and not everything:
            say(
                f"{counted(plan.permanent, 'row')} skipped: would fail again unchanged"
                " (see --set, --model and --all)."
            )
        if dry_run:
            return await _dry_run(engine, settings, plan)
        plan = await _without_unfit_rows(engine, plan)
        most = await confirm_cost(
            engine,
            settings,
            plan.account,
            plan.rows,
            plan.model,
            lambda: engine.costs.estimate(plan),
        )
        plan = msgspec.structs.replace(plan, most_cost=most)
        await follow(engine, found.id, plan.account, engine.retry(plan, budget=budget), wait=wait)
        return print_jobs(engine, [found.id], settings, waited=wait)

    return run(settings, work)


async def _dry_run(engine: Engine, settings: Settings, plan: RetryPlan) -> int:
    """Print what would be sent; returns the exit code, 2 if no row can take the edit."""
    preview = await engine.retries.preview(plan, plan.edits)
    estimate = None
    try:
        plan = await _without_unfit_rows(engine, plan)
        estimate = await engine.costs.estimate(plan)
    except UsageError:
        # The preview of the rows shows why; there is nothing to estimate.
        pass
    free = engine.account(plan.account).is_free
    print_result(
        settings,
        lambda: _preview_document(plan, preview, estimate),
        lambda: _preview_lines(plan, preview, estimate, free=free),
    )
    return EXIT_USAGE if estimate is None else EXIT_OK


async def _without_unfit_rows(engine: Engine, plan: RetryPlan) -> RetryPlan:
    """The plan without the rows that the edit does not apply to; prints how many."""
    plan = await engine.retries.fit(plan)
    if plan.left_out:
        reason = clean(plan.left_out_reason)
        rows = counted(plan.left_out, "row")
        say(f"{rows} skipped because this edit does not apply: {reason}.")
    return plan
