"""A job as the clients return it: its facts, its rows as data frames, and a table in notebooks."""

from __future__ import annotations

import html
from typing import Any

import msgspec

from tui.client.frames.answers import read_job
from tui.client.frames.libraries import Arrow, FrameLibrary, Pandas, Polars, join
from tui.client.frames.run import SUFFIX
from tui.core.formatting import counted, format_cost, rfc3339
from tui.core.jobs import Job
from tui.core.query import INPUT_ORDER, query_filter
from tui.core.rows import Outcome
from tui.core.status_words import status_text
from tui.core.text import visible
from tui.store.history import History


class ClientJob(Job, frozen=True, kw_only=True, dict=True):
    """A job as it was when the client read it, with ways to read its rows.

    The methods block, and need the client to be open. Columns are ``custom_id``, the input
    columns of the job, ``answer``, the fields of JSON answers, ``outcome``, ``error``,
    ``input_tokens``, ``output_tokens`` and ``cost`` (in the account's currency).
    """

    @classmethod
    def of(cls, job: Job, history: History) -> ClientJob:
        """A job with the history that has its rows."""
        made = cls(**{name: getattr(job, name) for name in job.__struct_fields__})
        msgspec.structs.force_setattr(made, "_history", history)
        return made

    def to_polars(self, where: str = "", *, inputs: bool = True) -> Any:
        """The rows as a polars ``DataFrame``.

        Args:
            where: Only the rows that match this query, such as ``outcome:failed``.
            inputs: Add the columns of the table that the job was composed from.

        Raises:
            UsageError: polars is not installed, or the query is not valid.
            HistoryError: A result file was changed or is missing.
        """
        return self._read(Polars(), where, inputs)

    def to_pandas(self, where: str = "", *, inputs: bool = True) -> Any:
        """The rows as a pandas ``DataFrame``; see ``to_polars``."""
        return self._read(Pandas(), where, inputs)

    def to_arrow(self, where: str = "", *, inputs: bool = True) -> Any:
        """The rows as a pyarrow ``Table``, in chunks; see ``to_polars``."""
        return self._read(Arrow(), where, inputs)

    def _read(self, library: FrameLibrary, where: str, inputs: bool) -> Any:
        history: History = self.__dict__["_history"]
        selection = history.rows.select(self.id, query_filter(where), INPUT_ORDER)
        before, answers = read_job(history, self.id, library, selection, inputs=inputs)
        return join(library, library.frame(before), answers, SUFFIX)

    def _repr_html_(self) -> str:
        """The facts as a small table, for notebooks; all texts are escaped."""
        counts = [(outcome.value, self.counts.get(outcome)) for outcome in Outcome]
        rows = ", ".join(f"{count:,} {name}" for name, count in counts if count)
        facts = {
            "job": f"{self.name} ({self.id})",
            "status": status_text(self.status),
            "rows": f"{counted(self.counts.total, 'row')}: {rows}" if rows else "0 rows",
            "model": self.model,
            "account": f"{self.account} ({self.provider})",
            "cost": format_cost(self.cost),
            "created": rfc3339(self.created_at) or "",
            "ended": rfc3339(self.ended_at) or "",
            "trouble": self.trouble,
        }
        cells = "".join(
            f"<tr><th>{name}</th><td>{html.escape(visible(text))}</td></tr>"
            for name, text in facts.items()
            if text
        )
        return f"<table>{cells}</table>"
