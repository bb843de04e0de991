"""Three requests of a checked file, as they will be sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.message import Message

from tui.errors import BatchdeckError
from tui.ui.widgets.compose_preview import PreviewPanel

if TYPE_CHECKING:
    from tui.engine.engine import Engine


class RequestPeek(PreviewPanel):
    """The first request of a file, one at random and the longest."""

    HINT = (("   ^g", "accent"), (" next", "muted"))

    class Shown(Message):
        """Posted when there is something to be seen."""

    @work(group="peek", exclusive=True, exit_on_error=False)
    async def look(self, engine: Engine, path: Path, account: str) -> None:
        """Read the file, and show three of its requests."""
        try:
            sketch = await engine.preview(str(path), None, account=account or None)
        except BatchdeckError:
            # What is wrong with the file, the check says.
            return
        self.show(sketch)
        self.post_message(self.Shown())
