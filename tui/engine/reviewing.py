"""The verbs between reading and sending again: rehearse a retry, check the form of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tui.core.filtering import ALL_ROWS, RowFilter
from tui.core.schemas import Schema, SchemaError
from tui.core.verdicts import Judge, Judgement, Verdict
from tui.engine.composing import Composing
from tui.engine.fitting import fit
from tui.engine.rehearsal import Rehearsal, proposed_edits, rehearse
from tui.engine.retrier import RetryPlan
from tui.engine.threads import Stop, stoppable
from tui.errors import BatchdeckError, InputError
from tui.store.given import give_schema, given_schema
from tui.store.history import History
from tui.store.verdicts import Progress, Verdicts, schema_verdicts


class Reviewing(Composing):
    """What the engine can say of answers, and of requests that are to be sent again."""

    history: History

    async def rehearse_retry(
        self,
        plan: RetryPlan,
        edits: Mapping[str, Any],
        *,
        count: int = 3,
        stop: Stop | None = None,
    ) -> Rehearsal:
        """A few rows of a plan as they would be sent; nothing is sent or stored.

        Args:
            plan: The rows.
            edits: The changes.
            count: How many rows to show.
            stop: Asked now and then; true ends it.

        Raises:
            UsageError: The changes make no sense.
        """
        encode = await self._encoder(plan.account)
        return await stoppable(
            lambda asked: rehearse(self._context, plan, edits, encode, count=count, stop=asked),
            stop,
        )

    async def fit_retry(self, plan: RetryPlan, *, stop: Stop | None = None) -> RetryPlan:
        """The plan without the rows that cannot be changed as it says; see its ``left_out``.

        Raises:
            UsageError: No row can be changed so.
        """
        encode = await self._encoder(plan.account)
        return await stoppable(lambda asked: fit(self._context, plan, encode, asked), stop)

    async def _encoder(self, account: str) -> Callable[[bytes], bytes] | None:
        try:
            return (await self._context.accounts.dialect(account)).encode_line
        except BatchdeckError:
            # Without a key the changes can still be looked at; sending will ask for it.
            return None

    async def propose_edits(self, plan: RetryPlan) -> dict[str, Any]:
        """The changes that the rows of a plan call for: twice the tokens where they were cut."""
        return await stoppable(lambda _: proposed_edits(self._context, plan))

    async def check_schema(
        self,
        job_id: str,
        rows: RowFilter | Sequence[int] = ALL_ROWS,
        schema: bytes | None = None,
        *,
        own: bool = False,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> Verdicts:
        """Which answers have the form that was asked for; see ``schema_verdicts``.

        Args:
            job_id: The job.
            rows: Which rows.
            schema: The schema as JSON; without it the one that was given for the job, else
                each request's own.
            own: Each request's own counts, even if one was given for the job.
            stop: Asked now and then; what was found so far is the answer.
            progress: Called, from another thread, with rows looked at and rows in all.

        Raises:
            InputError: The given schema cannot be used.
        """

        def work(asked: Stop) -> Verdicts:
            seqs = rows
            if isinstance(seqs, RowFilter):
                seqs = self.history.select(job_id, seqs, stop=asked).seqs
            try:
                return schema_verdicts(
                    self.history, job_id, seqs, schema, own=own, stop=asked, progress=progress
                )
            except SchemaError as error:
                raise _unusable(error) from None

        return await stoppable(work, stop)

    async def given_schema(self, job_id: str) -> bytes:
        """The schema that was given for the answers of a job; empty without one."""
        return await stoppable(lambda _: given_schema(self.paths, job_id))

    async def give_schema(self, job_id: str, schema: bytes) -> None:
        """Keep a schema for the answers of a job; an empty one lets the requests' own count.

        Raises:
            InputError: It cannot be used.
        """
        try:
            await stoppable(lambda _: give_schema(self.paths, job_id, schema))
        except SchemaError as error:
            raise _unusable(error) from None

    def judge(self, schema: bytes | None = None) -> Judge:
        """What tells of single rows how their answers miss a schema.

        Raises:
            InputError: The schema cannot be used.
        """
        try:
            return Judge(None if schema is None else Schema(schema))
        except SchemaError as error:
            raise _unusable(error) from None

    def judge_row(self, job_id: str, seq: int, judge: Judge) -> Judgement:
        """The verdict on the shown answer of one row, with its reasons; it reads files."""
        detail = self.history.row(job_id, seq)
        if not detail.attempts:
            return Judgement(Verdict.NOTHING)
        shown = detail.attempts[0]
        return judge.judge(shown.row.outcome, detail.request, shown.line, shown.style, shown.edits)


def _unusable(error: SchemaError) -> InputError:
    return InputError(str(error), "Look at the schema.")
