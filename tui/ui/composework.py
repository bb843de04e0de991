"""The work that Compose asks for: choose, mend, try and submit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from textual.message import Message

from tui.core.text import one_line, visible
from tui.errors import BatchdeckError, UsageError
from tui.ui import formatting
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.pick_file import PickFileDialog
from tui.ui.messages import (
    FixesRequested,
    SampleRequested,
    SourceOpened,
    SubmitRequested,
    TryRequested,
)
from tui.ui.sample import write_sample
from tui.ui.sending import Sending
from tui.ui.widgets.path_list import start_folder

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.app import BatchdeckApp

SOURCES_KEPT = 8
"""So many sources are remembered."""


class ComposeWork:
    """The verbs of Compose.

    Args:
        app: Where dialogs and notes are shown.
        engine: What does the work.
        keyed: Does something for an account, and asks for its key where that is missing.
    """

    def __init__(
        self,
        app: BatchdeckApp,
        engine: Engine,
        keyed: Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]],
    ) -> None:
        self._app = app
        self._engine = engine
        self._keyed = keyed
        self._tried: set[str] = set()

    def piece(self, asked: Message) -> tuple[str, Awaitable[None], str]:
        """The group, the work and the name of what a message asks for."""
        match asked:
            case SampleRequested():
                return "dialog", self.sample(), "Making a sample"
            case FixesRequested():
                return "fix", self.fix(asked), "Writing a mended copy"
            case TryRequested():
                return "try", self.try_row(asked), "Trying a request"
            case SourceOpened():
                return "source", self.remember(asked), "Remembering a source"
            case SubmitRequested():
                return "submit", self.submit(asked), "Submitting"
            case _:
                return "dialog", self.pick_file(), "Choosing a file"

    def _say(self, text: str) -> None:
        self._app.journal.note(text)
        self._app.notify(text, markup=False)

    async def pick_file(self) -> None:
        """Let a file be chosen, and show it in Compose."""
        start = start_folder(self._app.state.folder)
        path = await self._app.push_screen_wait(PickFileDialog(start))
        if path is not None:
            self._app.state.folder = str(path.absolute().parent)
            self._app.main.action_show("compose")
            self._app.main.compose_pane.open_file(path)

    async def sample(self) -> None:
        """Make a sample, and show it in Compose."""
        path = await asyncio.to_thread(write_sample, self._engine.paths.data)
        self._app.main.action_show("compose")
        self._app.main.compose_pane.open_file(path, account="sandbox")

    async def submit(self, asked: SubmitRequested) -> None:
        """Ask, make a job of a file, and send it; or two jobs, of which the small one is sent."""
        sending = Sending(self._app, self._engine, asked)
        sample = await sending.confirmed()
        if sample is None:
            return
        jobs = await sending.imported(sample)
        self._app.main.compose_pane.clear()
        self._app.take_changes()
        self._app.main.show_in_list(jobs[0].id)
        self._say(await sending.sent(jobs, self._keyed))

    async def fix(self, asked: FixesRequested) -> None:
        """Ask which fixes, write a mended copy, and show it in Compose."""
        from tui.ui.dialogs.fixes import FixesDialog

        answer = await self._app.push_screen_wait(FixesDialog(asked.report))
        if answer is None:
            return
        stem = asked.path.stem.removesuffix("-fixed")
        out = self._engine.own_file(f"{stem}-fixed")
        report = await self._engine.fix_file(asked.path, out, answer.fixes)
        told = f"{formatting.counted(report.rows, 'row')} written to {visible(out.name)}"
        if answer.split_rows is not None:
            folder = self._engine.own_file(f"{stem}-parts", "")
            parts = await self._engine.split_file(
                out, folder, account=asked.account, rows=answer.split_rows
            )
            told = f"{formatting.counted(len(parts), 'part')} written to {visible(str(folder))}"
            out = parts[0].path
        self._app.main.compose_pane.show_check(out)
        self._say(told)

    async def try_row(self, asked: TryRequested) -> None:
        """Send one request at once, after asking where it costs something."""
        account = self._engine.account(asked.account)
        if account.provider != "sandbox" and asked.account not in self._tried:
            name = one_line(account.provider_name, 30)
            facts = [("provider", f"{name} (account {one_line(asked.account, 20)})")]
            note = "It costs what a single request costs, and is not kept. Asked once a session."
            dialog = ConfirmDialog("Send one request now?", facts, "Send", note)
            if not await self._app.push_screen_wait(dialog):
                if asked.done is not None:
                    asked.done(UsageError("It was not sent."))
                return
            self._tried.add(asked.account)
        try:
            trial = await self._keyed(
                asked.account,
                lambda: self._engine.try_row(asked.row, asked.line, account=asked.account),
            )
        except BatchdeckError as error:
            if asked.done is None:
                raise
            asked.done(error)
            return
        if asked.done is not None:
            asked.done(trial)
        else:
            from tui.ui.dialogs.trial import TrialDialog

            self._app.push_screen(TrialDialog(trial))

    async def remember(self, asked: SourceOpened) -> None:
        """Remember a source, the newest first."""
        sources = [asked.spec, *(s for s in self._app.state.sources if s != asked.spec)]
        self._app.state.sources = sources[:SOURCES_KEPT]
