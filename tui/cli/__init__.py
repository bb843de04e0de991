"""The headless twin: every verb of the dashboard as a command, and the way into the dashboard.

``main`` is the program. Importing this package loads click and the standard library only;
the engine, and with it everything that talks HTTP or SQL, is loaded by the command that runs,
and textual by the dashboard alone.
"""

from __future__ import annotations

from tui.cli.program import main

__all__ = ["main"]
