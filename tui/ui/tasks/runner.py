"""Starts the tasks of the dashboard, each as a worker of the app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeAlias

from tui.core.text import visible
from tui.errors import BatchdeckError, UnknownJobError
from tui.files import disk_hint
from tui.ui.dialogs.text import ErrorDialog
from tui.ui.tasks import accounts, actions, export, jobs, requests, retry, review, settings, submit
from tui.ui.tasks.context import KeyNotGivenError, TaskContext

P = ParamSpec("P")
Work: TypeAlias = Coroutine[Any, Any, None]


def _task(
    work: Callable[Concatenate[TaskContext, P], Work], title: str
) -> Callable[Concatenate[TaskRunner, P], None]:
    """A method that starts ``work`` with the same arguments; ``title`` heads its errors."""

    def start(runner: TaskRunner, /, *args: P.args, **kwargs: P.kwargs) -> None:
        runner.start(work(runner.context, *args, **kwargs), title)

    return start


class TaskRunner:
    """The tasks (see ``tui.ui.session.Tasks``): what does the work, and the title of its errors.

    Args:
        context: What the tasks may use.
    """

    pick_file = _task(requests.pick_file, "Choosing a file")
    open_archive = _task(requests.open_archive, "Opening the archive")
    import_results = _task(requests.import_results, "Opening the results")
    run_action = _task(actions.run_action, "Running the action")
    sample = _task(requests.sample, "Creating a sample")
    fix = _task(requests.fix, "Writing a fixed copy")
    compose_rows = _task(requests.compose_rows, "Opening the rows")
    try_row = _task(requests.try_row, "Trying a request")
    submit_draft = _task(submit.submit_draft, "Submitting")
    submit_experiment = _task(submit.submit_experiment, "Submitting")
    submit = _task(submit.submit, "Submitting")
    retry = _task(retry.retry, "Retrying")
    cancel = _task(jobs.cancel, "Cancelling")
    collect = _task(jobs.collect, "Collecting")
    delete = _task(jobs.delete, "Deleting")
    edit_deadline = _task(jobs.edit_deadline, "Saving")
    edit_tags = _task(jobs.edit_tags, "Saving")
    edit_note = _task(jobs.edit_note, "Saving")
    details = _task(jobs.details, "Details")
    choose_account = _task(jobs.choose_account, "Choosing an account")
    sections = _task(jobs.choose_section, "Sections")
    add_account = _task(accounts.add_account, "Adding an account")
    set_key = _task(accounts.set_key, "Setting a key")
    list_remote = _task(jobs.list_remote, "Listing batches")
    save_media = _task(export.save_media, "Saving files")
    summary = _task(export.summary, "Summary")
    facets = _task(export.facets, "Counting values")
    evaluate = _task(export.evaluate, "Evaluation")
    compare = _task(export.compare, "Comparing")
    costs = _task(export.costs, "Costs")
    experiment = _task(export.experiment, "Experiment")
    export = _task(export.export, "Exporting")
    review = _task(review.review, "Reviewing")
    check_schema = _task(jobs.check_schema, "Checking answers")
    settings = _task(settings.change_settings, "Settings")

    def __init__(self, context: TaskContext) -> None:
        self.context = context

    def start(self, work: Work, title: str) -> None:
        """Run a task as a worker; errors are shown in a dialog."""
        app = self.context.session.app
        app.run_worker(self._run(work, title), exit_on_error=False, description=title)

    async def _run(self, work: Work, title: str) -> None:
        session = self.context.session
        try:
            await session.ready.wait()
            await work
        except UnknownJobError as error:
            # Deleted by another program since it was listed; the list says so.
            session.log.note(f"{title}: {error.message}", bad=True)
            self.context.say("The job was deleted elsewhere", warn=True)
            self.context.main.close_deleted(set())
        except KeyNotGivenError as error:
            self.context.say(f"{title} stopped: {error.message}", warn=True)
        except BatchdeckError as error:
            session.log.note(f"{title}: {error.message}", bad=True)
            session.app.push_screen(ErrorDialog(error, title))
        except asyncio.CancelledError:
            work.close()
            raise
        except Exception as error:
            if isinstance(error, OSError) and (hint := disk_hint(error)):
                place = f"{visible(str(error.filename))}: " if error.filename else ""
                refused = BatchdeckError(f"{place}{error.strerror}", hint)
                session.log.note(f"{title}: {refused.message}", bad=True)
                session.app.push_screen(ErrorDialog(refused, title))
                return
            text = session.log.note_crash(error)
            shown = BatchdeckError(text, "This is a bug in Batchdeck. L shows the log.")
            session.app.push_screen(ErrorDialog(shown, title))
