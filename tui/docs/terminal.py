"""A page of help as lines for a terminal: wrapped, with tables drawn as tables."""

from __future__ import annotations

from io import StringIO
from typing import ClassVar

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

MOST_COLUMNS = 110
"""Lines that are longer are hard to read."""

_INDENT = 4
_COLUMN = 17
"""Cells that a column of a table needs to be readable."""

# Styles without colours are readable on every background, in every theme.
_STYLES = Theme(
    {
        "markdown.h1": "bold underline",
        "markdown.h2": "bold underline",
        "markdown.h3": "bold",
        "markdown.code": "bold",
        "markdown.link": "underline",
        "markdown.link_url": "underline",
        "markdown.item.bullet": "none",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
    }
)


class _PlainHeading(Heading):
    """A heading at the margin, without a box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The text of the heading, with a line above it."""
        self.text.justify = "left"
        if self.tag != "h1":
            yield Text("")
        yield self.text


class _IndentedCode(CodeBlock):
    """A block of code, indented; the language does not matter."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the block; a remark goes above its line where both are too long for one."""
        lines: list[str] = []
        for line in str(self.text).rstrip().split("\n"):
            code, mark, remark = line.partition("   # ")
            if mark and len(line) > options.max_width - _INDENT:
                lines += [f"# {remark}", code.rstrip()]
            else:
                lines.append(line)
        yield Padding(Text("\n".join(lines)), (0, 0, 0, _INDENT))


class _FittedTable(TableElement):
    """A table in which no word is cut; one that is too narrow for its columns becomes a list."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or each row with the names of its columns."""
        head = self.header.row if self.header is not None else None
        names = [cell.content for cell in head.cells] if head is not None else []
        rows = [[cell.content for cell in row.cells] for row in self.body.rows] if self.body else []
        if len(names) * _COLUMN > options.max_width:
            for row in rows:
                yield Text("")
                yield Text.assemble((row[0].plain, "bold"))
                for name, cell in zip(names[1:], row[1:], strict=False):
                    if cell.plain:
                        line = Text.assemble((f"{name.plain}: ", "dim"), cell)
                        yield Padding(line, (0, 0, 0, _INDENT))
            yield Text("")
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, style="markdown.table.border")
        for name in names:
            heading = name.copy()
            heading.stylize("markdown.table.header")
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*row)
        yield table


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _PlainHeading,
        "fence": _IndentedCode,
        "code_block": _IndentedCode,
        "table_open": _FittedTable,
    }


def drawn(markdown: str, width: int, *, colours: bool) -> list[str]:
    """The lines of a page.

    Args:
        markdown: The page.
        width: The width of the terminal in cells.
        colours: Whether lines may have escape sequences for bold, dim and underlined text.
    """
    stream = StringIO()
    console = Console(
        file=stream,
        width=max(20, min(width, MOST_COLUMNS)),
        force_terminal=colours,
        no_color=True,
        color_system="standard" if colours else None,
        legacy_windows=False,
        theme=_STYLES,
    )
    console.print(_Page(markdown, hyperlinks=False))
    return [line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n")]
