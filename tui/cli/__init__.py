"""The command line: a command for every action of the dashboard, and the dashboard itself.

``main`` is the entry point. Importing this package loads only click and the standard library.
The engine, with all HTTP and SQL code, is imported by the commands that need it; Textual is
imported only by the dashboard.
"""

from __future__ import annotations

from tui.cli.program import main

__all__ = ["main"]
