"""Tasks of Compose: choose a file, make a sample, fix, try a request."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tui.compose.requests.report import CheckReport
from tui.core import formatting
from tui.core.jobs import JOB_PREFIX
from tui.core.query import RowSelection
from tui.core.status_words import ran_words
from tui.core.text import one_line, visible
from tui.engine.imports.results import results_beside
from tui.engine.try_request import TryResult
from tui.errors import BatchdeckError, UsageError
from tui.paths import open_private, private_folder, working_folder
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.export import with_progress
from tui.ui.dialogs.fixes import FixesDialog
from tui.ui.dialogs.pick_file import PickFileDialog, start_folder
from tui.ui.dialogs.text import TryDialog
from tui.ui.tasks.context import TaskContext

ROWS = 200
"""Number of rows of the sample file."""

_ITEMS = ("kettle", "desk lamp", "rain jacket", "headphones", "backpack", "coffee grinder")
_OPINIONS = (
    "Works as promised, would buy again.",
    "Arrived late and the box was open, but it works.",
    "Stopped working after a week. Very disappointed!",
    "Great value. My partner wants one as well.",
    "Neither good nor bad; it does what it should.",
)
_FAULTS = {
    9: "sandbox:flaky=429",
    17: "sandbox:flaky=500",
    31: "sandbox:truncate",
    43: "sandbox:refuse",
    61: "sandbox:fail=400",
}
"""Row number modulo 100 to the word in the prompt that makes the sandbox simulate a fault."""


def write_sample(folder: Path) -> Path:
    """Write the sample file into a folder and return its path.

    Most of its 200 rows succeed; some fail once and succeed when retried, and two always fail.
    """
    path = private_folder(folder) / "sample-reviews.jsonl"
    with os.fdopen(open_private(path), "w", encoding="utf-8") as stream:
        for number in range(ROWS):
            stream.write(json.dumps(_request(number), ensure_ascii=False) + "\n")
    return path


def _request(number: int) -> dict[str, object]:
    item = _ITEMS[number % len(_ITEMS)]
    review = f"{_OPINIONS[number % len(_OPINIONS)]} ({item})"
    fault = _FAULTS.get(number % 100)
    return {
        "custom_id": f"review-{number + 1:04}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "sandbox-small",
            "max_tokens": 200,
            "messages": [
                {"role": "system", "content": "Say in one sentence what this customer feels."},
                {"role": "user", "content": f"{review}\n{fault}" if fault else review},
            ],
        },
    }


async def pick_file(context: TaskContext) -> None:
    """Ask for a file and open it in Compose."""
    path = await context.ask(PickFileDialog(start_folder(context.state.folder)))
    if path is not None:
        context.state.folder = str((working_folder() / path).parent)
        context.main.open_file(path)


async def open_archive(context: TaskContext, path: Path) -> None:
    """Make a job of an archive that another Batchdeck wrote, and show it in Batches."""
    job = await with_progress(
        context.session.app,
        f"Opening {one_line(path.name, 40)}",
        lambda progress: context.engine.open_archive(path, progress=progress),
        octets=True,
    )
    if job is None:
        context.say("Stopped: nothing was imported", warn=True)
        return
    context.main.show_imported(job.id)
    rows = formatting.counted(job.counts.total, "row")
    context.say(f"{one_line(job.name, 40)} imported with {rows}; it {ran_words(job)}")


async def import_results(context: TaskContext, path: Path) -> None:
    """Make a job of the results of a batch that ran elsewhere, after asking for its requests."""
    title = "Choose the file of requests that was sent"
    asked = await context.ask(PickFileDialog((working_folder() / path).parent, title))
    if asked is None:
        return
    results = await asyncio.to_thread(results_beside, path)
    facts = [("requests", one_line(visible(asked.name), 60))]
    facts += [("results", one_line(visible(one.name), 60)) for one in results]
    note = "Nothing is sent. Requests without a line in these results are shown as missing."
    if not await context.ask(ConfirmDialog("Open as a finished job?", facts, "Open", note)):
        return
    with context.main.top_bar.meter("Reading", formatting.size) as progress:
        job = await context.engine.import_results(asked, results, progress=progress)
    context.main.show_imported(job.id)
    rows = formatting.counted(job.counts.total, "row")
    failed = formatting.number(job.counts.unanswered)
    context.say(f"{one_line(job.name, 40)} opened: {rows}, {failed} without an answer")


async def sample(context: TaskContext) -> None:
    """Create a sample file and open it in Compose."""
    path = await asyncio.to_thread(write_sample, context.session.paths.data)
    context.main.open_file(path, account="sandbox")


async def compose_rows(
    context: TaskContext, job_id: str, marked: Sequence[int] | None, where: str
) -> None:
    """Open rows of a job in Compose: the marked ones, else those of the query, else all answers."""
    job = context.engine.history.jobs.get(job_id)
    if marked is None:
        context.main.open_rows(f"{JOB_PREFIX}{job.id}" + (f"::{where}" if where else ""))
        return
    words = f"{formatting.counted(len(marked), 'marked row')}"
    selection = RowSelection(seqs=marked, total=job.counts.total)
    source = await context.engine.requests.open_rows(job.id, selection, words)
    context.main.open_rows(f"{JOB_PREFIX}{job.id} ({words})", source)


async def fix(context: TaskContext, path: Path, report: CheckReport, account: str) -> None:
    """Ask which fixes to apply, write a fixed copy, and show it in Compose."""
    answer = await context.ask(FixesDialog(report))
    if answer is None:
        return
    engine = context.engine
    stem = path.stem.removesuffix("-fixed")
    out = engine.requests.composed_path(f"{stem}-fixed")
    fixed = await engine.requests.fix_file(path, out, answer.fixes)
    text = f"{formatting.counted(fixed.rows, 'row')} written to {visible(out.name)}"
    if answer.split_rows is not None:
        folder = engine.requests.composed_path(f"{stem}-parts", "")
        parts = await engine.requests.split_file(
            out, folder, account=account, rows=answer.split_rows
        )
        text = f"{formatting.counted(len(parts), 'part')} written to {visible(str(folder))}"
        out = parts[0].path
    context.main.compose_pane.show_check(out)
    context.say(text)


async def try_row(
    context: TaskContext,
    row: bytes | Path,
    account: str,
    done: Callable[[TryResult | BatchdeckError], None] | None = None,
) -> None:
    """Send one request now; asks first, once a session, if it costs money."""
    try:
        answer = await _try(context, row, account)
    except BatchdeckError as error:
        if done is None:
            raise
        done(error)
        return
    if done is not None:
        done(answer or UsageError("Not sent."))
    elif answer is not None:
        context.session.app.push_screen(TryDialog(answer))


async def _try(context: TaskContext, row: bytes | Path, account: str) -> TryResult | None:
    """The answer, or ``None`` if the user does not want to pay for it."""
    engine = context.engine
    info = engine.account(account)
    if not info.is_free and account not in context.tried_accounts:
        name = one_line(info.provider_name, 30)
        facts = [("provider", f"{name} (account {one_line(account, 20)})")]
        note = "Costs one request; the answer is not saved. Asked once per session."
        dialog = ConfirmDialog("Send one request now?", facts, "Send", note)
        if not await context.ask(dialog):
            return None
        context.tried_accounts.add(account)
    return await context.with_key(account, lambda: engine.try_request(row, 1, account=account))
