"""Run the user's own actions, and show what they said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual.app import SuspendNotSupported

from tui.config.actions import ActionConfig
from tui.core.text import one_line, visible
from tui.engine.user_commands.runner import ProgramResult
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.text import DetailsDialog
from tui.ui.external_programs import show_text
from tui.ui.tasks.context import TaskContext

SAID_AFTER_SECONDS = 1.0
"""An action that takes longer says that it runs, and how it is stopped."""

_TOAST_CHARACTERS = 200


async def run_action(
    context: TaskContext, name: str, job_id: str, rows: Sequence[int] | None = None
) -> None:
    """Run an action; if it runs already, ask whether to stop it.

    Args:
        context: What the task may use.
        name: The action.
        job_id: The job.
        rows: Numbers of the rows that it gets; ``None`` for all.
    """
    action = context.engine.actions.get(name)
    title = one_line(action.title or name, 40)
    running = context.running_actions
    if (task := running.get(name)) is not None:
        facts = [("command", one_line(visible(" ".join(action.words)), 60))]
        note = "It is stopped with all programs that it has started."
        if await context.ask(ConfirmDialog(f"{title} still runs. Stop it?", facts, "Stop", note)):
            task.cancel()
        return
    if action.confirm:
        job = context.engine.history.jobs.get(job_id)
        facts = [
            ("command", one_line(visible(" ".join(action.words)), 60)),
            ("job", one_line(job.name, 40)),
        ]
        if not await context.ask(ConfirmDialog(f"Run {title}?", facts, "Run")):
            return
    if action.terminal:
        await _run_with_terminal(context, name, title, job_id, rows)
        return
    task = asyncio.create_task(context.engine.actions.run(name, job_id, rows))
    running[name] = task
    try:
        done, _ = await asyncio.wait({task}, timeout=SAID_AFTER_SECONDS)
        if not done:
            context.say(f"{title} is running; the same command again stops it")
            await asyncio.wait({task})
    finally:
        # This task may be cancelled, when the dashboard ends: the program ends with it.
        task.cancel()
        running.pop(name, None)
    if task.cancelled():
        context.say(f"{title} was stopped", warn=True)
    else:
        _show(context, title, action, task.result())


async def _run_with_terminal(
    context: TaskContext, name: str, title: str, job_id: str, rows: Sequence[int] | None
) -> None:
    engine, app = context.engine, context.session.app
    async with engine.actions.prepared(name, job_id, rows) as ready:
        try:
            with app.suspend():
                code = engine.actions.run_with_terminal(ready)
        except SuspendNotSupported:
            context.say("Cannot run another program in this terminal", warn=True)
            return
    if code:
        context.say(f"{title} ended with exit code {code}", warn=True)


def _show(context: TaskContext, title: str, action: ActionConfig, result: ProgramResult) -> None:
    """Show what a program wrote: a line or two for a moment, more of it in a dialog."""
    output = visible(result.output, newlines=True).strip()
    if result.is_cut:
        output += "\n…"
    if result.code is None:
        ending = f"{title} was stopped after {action.timeout or 0:g} s"
    elif result.good:
        ending = title if output else f"{title}: done"
    else:
        ending = f"{title} ended with exit code {result.code}"
    if len(output) > _TOAST_CHARACTERS or output.count("\n") > 1:
        context.session.log.note(ending, bad=not result.good)
        session = context.session
        dialog = DetailsDialog(ending, output, lambda text: show_text(session, "pager", text))
        session.app.push_screen(dialog)
    else:
        context.say(f"{ending}: {output}" if output else ending, warn=not result.good)
