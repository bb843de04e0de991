"""Tasks on one job of the list: cancel, collect, delete, tags, note, schema; accounts, remote."""

from __future__ import annotations

import asyncio

from tui.config.settings import set_option
from tui.core import formatting
from tui.core.analysis.sections import check_section_name, sections
from tui.core.jobs import Job, format_tags, parse_tags
from tui.core.text import one_line, visible
from tui.errors import UsageError
from tui.ui.dialogs.choose import Choice, ChooseDialog
from tui.ui.dialogs.confirm import ConfirmDialog, DeleteDialog
from tui.ui.dialogs.input import DEADLINE_HINT, InputDialog, schema_file_dialog
from tui.ui.dialogs.pick_file import expand_path
from tui.ui.dialogs.remote import RemoteBatches, RemoteDialog
from tui.ui.dialogs.text import DetailsDialog
from tui.ui.external_programs import show_text
from tui.ui.models.job_details import job_text
from tui.ui.models.job_list import JobView
from tui.ui.tasks.context import TaskContext


def short_name(job: Job) -> str:
    """The name of a job, shortened for notifications and dialogs."""
    return one_line(job.name, 40)


async def collect(context: TaskContext, job_id: str) -> None:
    """Download the results that are available now."""
    job = context.engine.history.jobs.get(job_id)
    await context.with_key(job.account, lambda: context.engine.collect(job.id))
    context.say(f"{short_name(job)}: downloaded all results available so far")


async def cancel(context: TaskContext, job_id: str) -> None:
    """Confirm and cancel a job."""
    job = context.engine.history.jobs.get(job_id)
    facts = [
        ("job", one_line(job.name, 44)),
        ("open rows", f"{job.counts.pending:,} of {job.counts.total:,}"),
        ("account", one_line(job.account, 44)),
    ]
    note = "Existing answers are kept; retry the open rows later with r."
    dialog = ConfirmDialog("Stop this job?", facts, "Stop job", note, dangerous=True)
    if await context.ask(dialog):
        await context.with_key(job.account, lambda: context.engine.cancel(job.id))
        context.say(f"{short_name(job)} is being cancelled")


async def delete(context: TaskContext, job_id: str) -> None:
    """Confirm and delete a job, if the user likes also at the provider."""
    engine = context.engine
    job = engine.history.jobs.get(job_id)
    facts = [
        ("job", one_line(job.name, 44)),
        ("rows", f"{job.counts.total:,}, {job.counts.answered:,} answered"),
    ]
    provider = one_line(engine.account(job.account).provider_name, 30)
    files, batches = engine.remote.deletable(job.id)
    kept = [word for word, there in (("files", files), ("batches", batches)) if there]
    there = f"its {' and '.join(kept)} at {provider}" if kept else ""
    why_disabled = "Nothing is left at the provider, or it cannot be deleted there."
    also = await context.ask(DeleteDialog(facts, there, why_disabled))
    if also is None:
        return
    losses = await asyncio.to_thread(engine.remote.losses, job.id, remote=also)
    if losses:
        note = visible("\n".join(losses), newlines=True)
        sure = ConfirmDialog("Delete it anyway?", facts, "Delete", note, dangerous=True)
        if not await context.ask(sure):
            return
    context.main.batches.expect_deletion(job.id)
    left = await context.with_key(
        job.account, lambda: engine.remote.delete(job.id, remote=also, forget=bool(losses))
    )
    done = f"{short_name(job)} deleted" + (f" locally and at {provider}" if also else "")
    context.say(". ".join([done, *(left or ())]))


async def edit_tags(context: TaskContext, job_id: str) -> None:
    """Edit the tags of a job."""
    job = context.engine.history.jobs.get(job_id)
    hint = "Separate tags with spaces. Find them with / (# optional)."
    title = f"Tags of {one_line(job.name, 30)}"
    text = await context.ask(InputDialog(title, hint, format_tags(job.tags)))
    if text is not None:
        await context.engine.annotate(job.id, tags=parse_tags(text))


async def edit_deadline(context: TaskContext, job_id: str) -> None:
    """Set, change or remove the deadline of a job; what it may cost is confirmed."""
    engine = context.engine
    job = engine.history.jobs.get(job_id)
    now = context.session.now()
    before = job.deadline if job.deadline is not None and job.deadline.is_open else None
    title = f"Deadline of {one_line(job.name, 30)}"
    shown = "" if before is None else formatting.time_to_type(before.at)
    text = await context.ask(InputDialog(title, DEADLINE_HINT, shown, help_id="deadline"))
    if text is None or text == shown:
        return
    if not text:
        await engine.deadlines.set(job.id, None)
        context.say(f"{short_name(job)}: deadline removed")
        return
    deadline = await engine.deadlines.plan_for(job.id, engine.deadlines.parse_time(text))
    free = engine.account(job.account).is_free
    facts = [
        ("job", one_line(job.name, 44)),
        ("deadline", engine.deadlines.describe(deadline, job.account)),
    ]
    if free or await context.ask(ConfirmDialog("Set this deadline?", facts, "Set")):
        await engine.deadlines.set(job.id, deadline)
        context.say(f"{short_name(job)}: deadline {formatting.moment(deadline.at, now)}")


async def edit_note(context: TaskContext, job_id: str) -> None:
    """Edit the note of a job."""
    job = context.engine.history.jobs.get(job_id)
    hint = "One line for yourself, such as what you tried. Find it with /."
    title = f"Note on {one_line(job.name, 30)}"
    text = await context.ask(InputDialog(title, hint, " ".join(job.note.split())))
    if text is not None:
        await context.engine.annotate(job.id, note=text)


async def details(context: TaskContext, job_id: str) -> None:
    """Show the details of a job as text."""
    history = context.engine.history
    job = history.jobs.get(job_id)
    board = context.main.batches.board
    view = board.view(job.id) if board is not None else None
    batches = history.batches.of_job(job.id)
    text = job_text(
        view or JobView(job, batches=batches),
        batches,
        history.rows.error_groups(job.id),
        history.jobs.timeline(job.id),
        context.session.now(),
    )
    await context.ask(
        DetailsDialog(
            one_line(job.name, 60), text, lambda text: show_text(context.session, "pager", text)
        )
    )


async def check_schema(context: TaskContext, job_id: str) -> None:
    """Ask for a schema, attach it to the job, and check all answers against it."""
    engine = context.engine
    job = engine.history.jobs.get(job_id)
    before = await engine.results.schema_of(job.id)
    typed = await context.ask(schema_file_dialog(bool(before)))
    if typed is None:
        return
    schema = b""
    if typed.strip():
        path = expand_path(typed)
        try:
            schema = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
    await engine.results.set_schema(job.id, schema)
    with context.main.top_bar.meter("Checking", formatting.number) as seen:
        found = await engine.results.check_schema(job.id, progress=seen)
    context.main.results.reload_rows()
    bad = len(found.bad)
    if not found.checked:
        context.say(f"No answers with a schema in {short_name(job)}", warn=True)
    else:
        checked = formatting.counted(found.checked, "answer")
        text = f"{checked} of {short_name(job)} checked: {bad:,} invalid"
        context.say(f"{text}; filter with schema:bad" if bad else text, warn=bool(bad))


async def choose_account(context: TaskContext) -> None:
    """Choose the account whose jobs are listed."""
    batches = context.main.batches
    if batches.board is None:
        return
    choices = [Choice("", "All accounts", formatting.counted(len(batches.board), "job"))]
    choices += [
        Choice(name, name, formatting.counted(count, "job"))
        for name, count in sorted(batches.board.accounts().items())
    ]
    chosen = await context.ask(
        ChooseDialog("Jobs of account", choices, batches.account, next_key="a")
    )
    if chosen is not None:
        batches.show_account(chosen)


_KEEP, _REMOVE = "\0keep", "\0remove"


async def choose_section(context: TaskContext) -> None:
    """Choose a section of the job list, keep the filter as one, or remove one."""
    session, batches = context.session, context.main.batches
    own, section = session.config.sections, batches.section
    known = sections(own)
    choices = [Choice(one.name, one.name, one.text or "every job") for one in known]
    if section is None:
        choices.append(Choice(_KEEP, "Keep this filter …", one_line(batches.filter_text, 40)))
    elif section.name in own:
        choices.append(Choice(_REMOVE, "Remove this section", one_line(section.name, 40)))
    now = section.name if section is not None else ""
    chosen = await context.ask(ChooseDialog("Sections", choices, now, next_key="F"))
    if chosen == _KEEP:
        hint = f"A name for the section with {one_line(batches.filter_text, 60)}"
        name = await context.ask(InputDialog("Keep the filter as a section", hint))
        if name:
            name = check_section_name(name, own)
            _set_section(context, name, batches.filter_text)
    elif chosen == _REMOVE and section is not None:
        _set_section(context, section.name, None)
        batches.show_section(known[0])
    elif chosen is not None:
        batches.show_section(next(one for one in known if one.name == chosen))


def _set_section(context: TaskContext, name: str, text: str | None) -> None:
    """Write a section into ``config.toml``, or remove it."""
    session = context.session
    session.set_config(set_option(session.paths, f"sections.{name}", text))
    context.main.batches.show_sections()


async def list_remote(context: TaskContext, account: str = "") -> None:
    """Show the provider's batches, then the job chosen there."""
    engine = context.engine
    remote = RemoteBatches(engine, context.with_key)
    chosen = account or next(iter(engine.account_names()))
    dialog = RemoteDialog(remote, chosen, lambda job_id: engine.history.jobs.get(job_id).name)
    job_id = await context.ask(dialog)
    if job_id is not None:
        context.main.show_in_list(job_id)
