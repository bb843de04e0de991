"""Which reader understands the result lines of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tui.core.messages_results import read_messages_line
from tui.core.results import read_openai_line
from tui.core.rows import RowResult

Reader = Callable[[bytes, Mapping[str, bool] | None], RowResult]
"""Takes the bytes of a line and the profile's retry codes; raises ``UnreadableLineError``."""

READERS: dict[str, Reader] = {"openai": read_openai_line, "messages": read_messages_line}
"""Style of the result lines, as the dialect names it, to its reader."""
