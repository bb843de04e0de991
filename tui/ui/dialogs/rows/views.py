"""The views: filters, orders and columns by name, to use, save, rename and remove."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static

from tui.core import formatting
from tui.core.analysis.views import ROW_NUMBER, View
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.dialogs.base import Dialog
from tui.ui.dialogs.confirm import overwrite_dialog
from tui.ui.text.tones import Part, Tone, content, in_cells, key_hints
from tui.ui.widgets.basics import Field, PlainList

if TYPE_CHECKING:
    from tui.store.views import Views

_NAME = 24


class ViewsDialog(Dialog[View]):
    """Type a name to save the current view; ``enter`` on a name uses that view.

    Those that were saved from the same job come first. What is saved, renamed or removed is so at
    once; the answer is the view to use.

    Args:
        kept: The views.
        current: How the rows are looked at now.
        job_name: Returns the name of a job by its id; empty if there is none.
    """

    DEFAULT_CSS = """
    ViewsDialog > .dialog { width: 76; }
    ViewsDialog Input { margin-bottom: 1; }
    ViewsDialog #views { max-height: 10; padding: 0 1; margin-bottom: 1; }
    ViewsDialog #views-about { height: 4; padding: 0 1; margin-bottom: 1; }
    ViewsDialog #views-head { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d,delete", "remove", show=False),
        Binding("r", "rename", show=False),
    ]

    def __init__(self, kept: Views, current: View, job_name: Callable[[str], str]) -> None:
        super().__init__("Views")
        self._kept = kept
        self._current = current
        self._job_name = job_name
        self._views: dict[str, View] = {}
        self._renamed = ""
        self._list = PlainList(id="views")
        self._head = Static("", id="views-head", markup=False)
        self._field = Field(placeholder="Enter a name to save it", compact=True, id="view-name")
        self._about = Static("", id="views-about", markup=False)
        self._keys = Static("", id="views-keys", classes="dialog-text", markup=False)

    def compose_content(self) -> ComposeResult:
        """What would be saved, its name, the views, and the one under the cursor."""
        yield self._head
        yield self._field
        yield self._list
        yield self._about
        yield self._keys

    async def on_mount(self) -> None:
        """Focus the views, or the name when there are none."""
        self._say_head()
        await self._read()
        (self._list if self._views else self._field).focus()

    async def _read(self, at: str = "") -> None:
        """Read the views, and put the cursor on one of them."""
        try:
            found = await asyncio.to_thread(self._kept.all)
        except BatchdeckError as error:
            found = {}
            self._say(error)
        own = {name: view for name, view in found.items() if view.job == self._current.job}
        self._views = own | found
        names = list(self._views)
        self._list.fill(
            [content(self._line(name)) for name in names], names.index(at) if at in names else 0
        )
        self._list.display = self._about.display = bool(names)
        actions = [("enter", "use"), ("r", "rename"), ("d", "remove")] if names else []
        keys = key_hints(*actions, ("tab", "name or list"), ("esc", "close"))
        self._keys.update(content(keys))

    def _line(self, name: str) -> list[Part]:
        view = self._views[name]
        where = one_line(view.where, 40) or "all rows"
        return [(in_cells(name, _NAME), "strong"), (f" {where}", "muted")]

    def _say_head(self, text: str = "", tone: Tone = "warn") -> None:
        if text:
            self._head.update(content([(text, tone)]))
            return
        shown: list[Part] = [("Save ", "muted"), (one_line(self._current.where, 58), "accent")]
        if not self._current.where:
            shown[1] = ("all rows", "accent")
        self._head.update(content([*shown, (f"\n{_order_and_columns(self._current)}", "muted")]))

    def _say(self, error: BatchdeckError) -> None:
        self._say_head(one_line(f"{error.message}. {error.hint}", 200))

    @property
    def _chosen(self) -> str:
        at = self._list.highlighted
        names = list(self._views)
        return names[at] if at is not None and at < len(names) else ""

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        view = self._views.get(self._chosen)
        if view is None:
            return
        parts: list[Part] = [(one_line(view.where, 200) or "all rows", "")]
        parts.append((f"\n{_order_and_columns(view)}", "muted"))
        if view.job and view.job != self._current.job and (name := self._job_name(view.job)):
            parts.append((f" · saved from {one_line(name, 30)}", "muted"))
        self._about.update(content(parts))

    @on(OptionList.OptionSelected)
    def _used(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(list(self._views.values())[event.option_index])

    @on(Input.Submitted)
    async def _named(self, event: Input.Submitted) -> None:
        event.stop()
        name = event.value.strip()
        if not name:
            self.app.bell()
            return
        if self._renamed:
            await self._rename(name)
        elif name in self._views:

            async def overwrite(yes: bool | None) -> None:
                if yes:
                    await self._save(name)

            self.app.push_screen(overwrite_dialog("view", one_line(name, 40)), overwrite)
        else:
            await self._save(name)

    async def _rename(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._kept.rename, self._renamed, name)
        except BatchdeckError as error:
            self._say(error)
            return
        self._end_renaming()
        await self._read(name)
        self._list.focus()

    async def _save(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._kept.save, name, self._current)
        except BatchdeckError as error:
            self._say(error)
            return
        self.app.notify(f"View {one_line(name, 40)} saved", markup=False)
        self.dismiss(None)

    def action_rename(self) -> None:
        """Type another name for the view under the cursor."""
        if not self._chosen:
            return
        self._renamed = self._chosen
        self._say_head(f"Another name for {one_line(self._renamed, 40)}:", "")
        self._field.value = self._renamed
        self._field.focus()

    async def action_remove(self) -> None:
        """Remove the view under the cursor."""
        if not self._chosen:
            return
        try:
            await asyncio.to_thread(self._kept.remove, self._chosen)
        except BatchdeckError as error:
            self._say(error)
        await self._read()
        if not self._views:
            self._field.focus()

    def action_leave(self) -> None:
        """Stop renaming, or close; what was removed or renamed stays so."""
        if self._renamed:
            self._end_renaming()
            self._list.focus()
        else:
            self.dismiss(None)

    def _end_renaming(self) -> None:
        self._renamed = ""
        self._field.value = ""
        self._say_head()


def _order_and_columns(view: View) -> str:
    """The order and the columns of a view in words."""
    keys = [
        f"{'row number' if column == ROW_NUMBER else one_line(column, 24)} {'↓' if down else '↑'}"
        for column, down in view.sort
    ]
    order = f"sorted by {', '.join(keys)}" if keys else "in input order"
    if not view.columns:
        return order
    names = ", ".join("#" if name == ROW_NUMBER else name for name in view.columns)
    count = formatting.counted(len(view.columns), "column")
    return f"{order} · {count}: {one_line(names, 90)}"
