"""What is done with the row that is read: copy it, save its files, open it elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tui.ui.external_programs import copy, show_text
from tui.ui.session import Session
from tui.ui.widgets.row_view import RowView


class RowActions:
    """Works on the row in a row view.

    Args:
        session: The session.
        view: Shows the row.
        show: Lets the view read the row under the cursor.
        is_reading: Whether one row fills the pane.
        row_at_cursor: The number of the row under the cursor; ``None`` without one.
    """

    def __init__(
        self,
        session: Session,
        view: RowView,
        show: Callable[[], None],
        is_reading: Callable[[], bool],
        row_at_cursor: Callable[[], object],
    ) -> None:
        self._session = session
        self._view = view
        self._show = show
        self._is_reading = is_reading
        self._row_at_cursor = row_at_cursor

    async def copy(self) -> None:
        """Copy the answer in the row view, else the row's custom_id."""
        self._show()
        await self._view.wait_until_shown()
        reading, detail = self._view.answer_reading, self._view.detail
        app = self._session.app
        if self._is_reading() and reading is not None:
            copy(app, await asyncio.to_thread(lambda: reading.bare), "the answer")
        elif detail is not None:
            copy(app, detail.row.custom_id, "the row id")

    async def save_media(self) -> None:
        """Save the images and audio of the answer, after asking for a folder."""
        detail = self._view.detail
        if detail is None or detail.row.seq != self._row_at_cursor():
            # The cursor has moved, and its row is not read yet.
            self._show()
        media, detail = await self._view.media(), self._view.detail
        if media and detail is not None:
            self._session.tasks.save_media(media, detail.row.custom_id)
        else:
            self._session.app.notify("This answer contains no images or audio", markup=False)

    async def open_in(self, program: str) -> None:
        """Open the answer and the request in the pager or the editor."""
        self._show()
        if text := await self._view.whole_text():
            show_text(self._session, program, text)
