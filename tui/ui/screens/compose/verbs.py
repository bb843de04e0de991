"""The commands of the Compose pane: most belong to the step that is shown."""

from __future__ import annotations

from textual.widget import Widget

from tui.ui.messages import FileRequested


class ComposeVerbs(Widget):
    """One method for each command of the table."""

    def _do(self, command_id: str) -> None:
        """Let the step carry out a command, or say why not."""
        raise NotImplementedError

    def action_pick_file(self) -> None:
        """Ask for a file."""
        self.post_message(FileRequested())

    def action_submit(self) -> None:
        """Ask to send."""
        self._do("submit")

    def action_sample_first(self) -> None:
        """Ask to send a few, and let the rest wait."""
        self._do("sample_first")

    def action_check(self) -> None:
        """Write the requests and check them, or check once more."""
        self._do("check")

    def action_fix(self) -> None:
        """Mend what the check found."""
        self._do("fix")

    def action_fixes(self) -> None:
        """Offer all fixes."""
        self._do("fixes")

    def action_try_row(self) -> None:
        """Send one request at once."""
        self._do("try_row")

    def action_next_preview(self) -> None:
        """Show another row."""
        self._do("next_preview")

    def action_next_kind(self) -> None:
        """Choose the next kind of request."""
        self._do("next_kind")

    def action_editor(self) -> None:
        """Open the file in the editor."""
        self._do("editor")

    def action_pager(self) -> None:
        """Read the file in the pager."""
        self._do("pager")

    def action_outside(self) -> None:
        """Write the text under the cursor in the editor."""
        from tui.ui.screens.compose.handwork import edit_outside

        edit_outside(self.app)

    def action_templates(self) -> None:
        """Load, save or delete a template."""
        self._do("templates")
