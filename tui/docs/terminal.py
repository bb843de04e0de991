"""A page of help as lines for a terminal: wrapped, with tables drawn as tables."""

from __future__ import annotations

from io import StringIO

MOST_COLUMNS = 110
"""Lines that are longer are hard to read."""


def drawn(markdown: str, width: int, *, colours: bool) -> list[str]:
    """The lines of a page.

    Args:
        markdown: The page.
        width: The width of the terminal in cells.
        colours: Whether lines may have escape sequences for colours and styles.
    """
    from rich.console import Console
    from rich.markdown import Markdown

    stream = StringIO()
    console = Console(
        file=stream,
        width=max(20, min(width, MOST_COLUMNS)),
        force_terminal=colours,
        no_color=not colours,
        color_system="standard" if colours else None,
        legacy_windows=False,
    )
    console.print(Markdown(markdown, code_theme="ansi_dark", hyperlinks=False))
    return [line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n")]
