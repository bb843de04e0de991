"""A provider's batches as rows of a table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.status import status_parts
from tui.ui.tones import Part, Parts
from tui.ui.widgets.table_model import Cells, Column

if TYPE_CHECKING:
    from tui.core.counts import RemoteCounts
    from tui.engine.adopter import RemoteEntry

REMOTE_COLUMNS = (
    Column("status", "Status", 14),
    Column("id", "Batch", 18, flex=3),
    Column("rows", "Rows", 13, align="right", drop=1),
    Column("created", "Created", 12, drop=2),
    Column("here", "Here", 16, flex=1),
)


class RemoteSource:
    """Entries of a provider's list, as they came.

    Args:
        entries: What the provider listed.
        names: Names of the jobs here, by id.
        busy: The batch that is being brought in.
        now: Unix seconds.
    """

    def __init__(
        self, entries: Sequence[RemoteEntry], names: dict[str, str], busy: str, now: float
    ) -> None:
        self.entries = entries
        self._names = names
        self._busy = busy
        self._now = now

    def row_count(self) -> int:
        """How many are known so far."""
        return len(self.entries)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of some batches."""
        return [self._cells(entry) for entry in self.entries[start:stop]]

    def row_id(self, index: int) -> Hashable:
        """The provider's id of a batch."""
        return self.entries[index].remote.id

    def index_of(self, row_id: Hashable) -> int | None:
        """Where a batch stands."""
        for index, entry in enumerate(self.entries):
            if entry.remote.id == row_id:
                return index
        return None

    def _cells(self, entry: RemoteEntry) -> Cells:
        remote = entry.remote
        created = remote.created_at
        if remote.id == self._busy:
            here: Part = ("bringing in …", "live")
        elif entry.job_id is None:
            here = ("not here", "muted")
        else:
            here = (one_line(self._names.get(entry.job_id, entry.job_id), 40), "good")
        return (
            status_parts(remote.status, one_line(remote.raw_status, 12)),
            one_line(remote.id, 200),
            _rows(remote.counts),
            "-" if created is None else formatting.moment(created, self._now),
            (here,),
        )


def _rows(counts: RemoteCounts) -> Parts:
    """``291/300``; a count that the provider does not give is a dash."""
    if counts.total is None:
        return (("-", "muted"),)
    done: tuple[Part, ...] = ()
    if counts.ended is not None:
        done = ((f"{counts.ended:,}", ""),)
    return (*done, (f"/{counts.total:,}" if done else f"{counts.total:,}", "muted"))
