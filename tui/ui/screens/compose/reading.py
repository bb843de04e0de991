"""The rows of a source as a preview needs them: read once, and anew when read otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.errors import BatchdeckError

if TYPE_CHECKING:
    from tui.compose.sources.source import Source
    from tui.engine.engine import Engine
    from tui.engine.sketch import Sketchbook
    from tui.ui.widgets.compose_table import TableReading


class Reading:
    """A source and the rows of it that are shown.

    Args:
        source: The rows, as they were opened first.
        place: What to open to read them otherwise; empty where that cannot be.
        given_up: Asked now and then while the rows are read.
    """

    def __init__(self, source: Source, place: str, given_up: Callable[[], bool]) -> None:
        self.source = source
        self._place = place
        self._given_up = given_up
        self._book: Sketchbook | None = None
        self._looking: asyncio.Task[None] | None = None
        self._trouble: BatchdeckError | None = None

    @property
    def found(self) -> tuple[str, ...]:
        """What was found out of a table, of which a person may say that it is otherwise."""
        return self.source.notes if self._place and self.source.delimited else ()

    @property
    def count(self) -> int | None:
        """How many rows there are, about; ``None`` where nobody knows."""
        return self.source.count if self._book is None else self._book.count

    @property
    def exact(self) -> bool:
        """Is ``count`` counted?"""
        return self._book is not None and self._book.exact

    async def looked(self) -> Sketchbook:
        """The rows to show; reading them goes on, once, while keys call this off and anew.

        Raises:
            BatchdeckError: They cannot be read.
        """
        if self._trouble is not None:
            raise self._trouble
        if self._book is None:
            from tui.engine.sketch import Sketchbook

            self._book = Sketchbook(self.source)
        if self._looking is None or (self._looking.done() and self._looking.exception()):
            book = self._book
            self._looking = asyncio.create_task(
                asyncio.to_thread(book.look, lambda: self._given_up() or book is not self._book)
            )
        book = self._book
        await asyncio.shield(self._looking)
        return book

    async def read_as(self, engine: Engine, reading: TableReading) -> None:
        """Read the table as a person says; what is wrong with it, ``looked`` raises."""
        try:
            source = await engine.open_source(
                self._place,
                delimiter=reading.delimiter,
                encoding=reading.encoding,
                header=reading.header,
            )
        except BatchdeckError as error:
            self._trouble = error
            return
        self.source, self._trouble = source, None
        self._book = self._looking = None
