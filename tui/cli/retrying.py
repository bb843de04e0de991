"""Sending rows again, as they were or changed: retry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli import words
from tui.cli.costs import budget_option, cost_document, is_free
from tui.cli.options import (
    NO_ANSWER,
    edits_of,
    job_argument,
    row_filter,
    row_options,
    set_option,
    shared,
    yes_option,
)
from tui.cli.output import clean, print_json, print_lines, say
from tui.cli.rehearsing import rehearsal_document, rehearsal_lines
from tui.cli.sending import ask_to_send, finish, shown_progress, tell_direct, tell_waiting
from tui.cli.session import run
from tui.cli.settings import Settings
from tui.errors import QuotaError, UsageError

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.engine.retrier import RetryPlan


class _Tokens(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A number of tokens, or by what each row's own is multiplied: ``2000``, ``x2``."""

    name = "tokens"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        text = str(value).strip().lower().replace("×", "x")
        number = text.removeprefix("x")
        if not (number.isascii() and number.isdigit()) or int(number) < 1:
            self.fail(f"{value!r} is neither a number nor x2", param, ctx)
        if text == number:
            return int(number)
        if not 2 <= int(number) <= 9999:
            self.fail(f"{value!r} is not between x2 and x9999", param, ctx)
        return text


def changes_of(
    edits: Sequence[tuple[str, Any]],
    model: str | None,
    unset: Sequence[str],
    max_tokens: int | str | None,
    system: str | None,
) -> Mapping[str, Any]:
    """All options that change requests, as one change (see ``tui.core.editing``)."""
    changes = dict(edits_of(edits, model))
    changes.update(dict.fromkeys(unset))
    if max_tokens is not None:
        changes["@max_tokens"] = max_tokens
    if system:
        changes["@system"] = system
    return changes


@click.command(short_help="Send the rows without an answer again.")
@job_argument
@row_options
@set_option
@click.option("--unset", multiple=True, metavar="KEY", help="Take a field out of every body.")
@click.option("--model", metavar="MODEL", help="Send the rows to another model.")
@click.option(
    "--max-tokens",
    type=_Tokens(),
    metavar="N|x2",
    help="The longest answer: N, or so many times what each row has.",
)
@click.option(
    "--system-append", "system", metavar="TEXT", help="Append TEXT to every system message."
)
@click.option(
    "--all", "permanent_too", is_flag=True, help="Also rows that cannot succeed unchanged."
)
@click.option(
    "--direct",
    is_flag=True,
    help="Send them one by one to the synchronous endpoint, not as a batch.",
)
@click.option(
    "--dry-run", is_flag=True, help="Send nothing; show what would change in the first rows."
)
@budget_option
@click.option("--wait", is_flag=True, help="Wait until the rows have ended and are collected.")
@yes_option
@shared
def retry(
    settings: Settings,
    job: str,
    outcomes: tuple[str, ...],
    code: str,
    search: str,
    where: str,
    edits: tuple[tuple[str, Any], ...],
    unset: tuple[str, ...],
    model: str | None,
    max_tokens: int | str | None,
    system: str | None,
    permanent_too: bool,
    direct: bool,
    dry_run: bool,
    budget: float | None,
    wait: bool,
) -> int:
    """Send rows of a JOB again: those without an answer, or those that the options choose.

    Without an outcome or a group only rows that have no answer are chosen. Changes are made to
    the newest request of each row: a second retry goes on from the first one's changes.
    """
    changes = changes_of(edits, model, unset, max_tokens, system)

    async def work(engine: Engine) -> int:
        found = engine.history.find_job(job)
        # Who names outcomes or a code means just those rows, hopeless ones too.
        every = permanent_too or bool(outcomes or code)
        chosen = row_filter(outcomes, code, search, where)
        if not (chosen.outcomes or chosen.groups):
            chosen = row_filter(NO_ANSWER, code, search, where)
        plan = await engine.plan_retry(
            found.id,
            chosen,
            changes,
            permanent_too=every,
            direct=direct,
        )
        if plan.permanent and not plan.edits and not every:
            say(
                f"{words.plural(plan.permanent, 'row')} left out that cannot succeed unchanged"
                " (see --set, --model and --all)."
            )
        if dry_run:
            return await _rehearse(engine, settings, plan)
        plan = await _fitted(engine, plan)
        await ask_to_send(engine, settings, plan.account, plan.rows, plan.model)
        async with shown_progress(engine, [found.id]):
            try:
                await engine.retry(plan, budget=budget)
            except QuotaError:
                if not wait:
                    tell_waiting(engine, found)
                    raise
            if wait:
                await engine.wait([found.id])
            else:
                tell_direct(engine, found, plan.account)
        return finish(engine, [found.id], settings, waited=wait)

    return run(settings, work)


async def _rehearse(engine: Engine, settings: Settings, plan: RetryPlan) -> int:
    """Show what would be sent; the answer is the exit code, 2 when it would be refused."""
    rehearsal = await engine.rehearse_retry(plan, plan.edits)
    estimate = None
    try:
        plan = await _fitted(engine, plan)
    except UsageError:
        # The rows say why; what cannot be changed has no price either.
        refused = True
    else:
        refused = False
        estimate = await engine.estimate(plan)
    if settings.json:
        document = rehearsal_document(plan, rehearsal)
        document["cost"] = None if estimate is None else cost_document(estimate)
        print_json(document)
    else:
        print_lines(rehearsal_lines(plan, rehearsal, estimate, free=is_free(engine, plan.account)))
    return 2 if refused else 0


async def _fitted(engine: Engine, plan: RetryPlan) -> RetryPlan:
    """The plan without rows that cannot be changed so; how many there are is told."""
    plan = await engine.fit_retry(plan)
    if plan.left_out:
        why = clean(plan.why_left)
        say(f"{words.plural(plan.left_out, 'row')} left out that cannot be changed so: {why}.")
    return plan
