"""What a person decides about batches of which it is not certain whether they were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.jobs import Batch, Job
from tui.core.status import Submission
from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.dialogs.uncertain import UncertainAnswer, UncertainDialog
from tui.ui.jobfacts import batch_name
from tui.ui.verbs import Verbs

if TYPE_CHECKING:
    from tui.engine.engine import Engine


def uncertain_of(engine: Engine, job_id: str) -> list[Batch]:
    """The batches of a job that the provider may have or not, in their order."""
    batches = engine.history.batches(job_id)
    return [batch for batch in batches if batch.submission is Submission.UNCERTAIN]


class Deciding(Verbs):
    """The verb of a job with an uncertain batch."""

    async def decide(self, job: Job) -> None:
        """Ask about one uncertain batch after the other, until none is left or one stays so."""

        async def attach(remote_id: str) -> None:
            await self._keyed(job.account, lambda: self._engine.attach(job.id, remote_id))

        async def send() -> Job:
            return await self._engine.submit(job.id, resend_uncertain=True, patient=True)

        name = one_line(job.name, 40)
        while batches := uncertain_of(self._engine, job.id):
            dialog = UncertainDialog(self._of_batch(job, batches), attach)
            answer: UncertainAnswer | None = await self._app.push_screen_wait(dialog)
            if answer is None:
                return
            if answer == "resend":
                await self._keyed(job.account, send)
                self._say(f"{name} is on its way")
                return
            self._say(f"{name}: the provider's batch is watched")

    def _of_batch(self, job: Job, batches: list[Batch]) -> list[tuple[str, str]]:
        batch = batches[0]
        info = self._engine.account(batch.account)
        more = f", and {len(batches) - 1:,} more after it" if len(batches) > 1 else ""
        sent = batch.submitted_at
        account = one_line(batch.account, 20)
        return [
            ("job", one_line(job.name, 50)),
            ("batch", f"{batch_name(batch)}, {formatting.counted(batch.rows, 'row')}{more}"),
            (
                "provider",
                f"{one_line(info.provider_name, 30)} (account {account})",
            ),
            ("sent", "unknown" if sent is None else formatting.moment(sent, self._app.now())),
        ]
