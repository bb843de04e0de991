"""Preview, table options, text areas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Select, Static, TextArea

from tui.compose.preview import ComposePreview, RowPreview
from tui.compose.sources.quoted_cells import Quoting
from tui.core.text import one_line, visible
from tui.errors import BatchdeckError
from tui.ui.text.compose import preview_head, request_text
from tui.ui.text.tones import Part, content
from tui.ui.widgets.basics import Field
from tui.ui.widgets.text_page import TextPage


class PreviewPanel(Vertical):
    """Three requests as they would be sent, one at a time, or the error that prevents them."""

    DEFAULT_CSS = """
    PreviewPanel { height: 1fr; width: 1fr; }
    PreviewPanel #preview-head { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    PreviewPanel #preview-pages { height: 1fr; layout: horizontal; }
    PreviewPanel #preview-answer { display: none; }
    PreviewPanel.-answered #preview-answer { display: block; }
    PreviewPanel.-beside #preview-pages { layout: vertical; }
    """

    HINT: ClassVar[tuple[Part, ...]] = ()
    """Parts shown after the names of the rows."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[RowPreview, ...] = ()
        self._place = 0
        self._head = Static("", id="preview-head", markup=False)
        self._request = TextPage("Request", "preview-request")
        self._answer = TextPage("Answer", "preview-answer")

    def compose(self) -> ComposeResult:
        """The names of the rows, the request and the answer."""
        yield self._head
        with Container(id="preview-pages"):
            yield self._request
            yield self._answer

    def on_mount(self) -> None:
        """Set the tooltip of the head."""
        self._head.tooltip = "The first row, a random one, the longest. Click for the next."

    def on_resize(self, event: events.Resize) -> None:
        """Stack request and answer in a tall panel, else place them side by side."""
        self.set_class(event.size.height >= 18 and event.size.width < 110, "-beside")

    @property
    def row(self) -> RowPreview | None:
        """The row shown."""
        return self._rows[self._place] if self._place < len(self._rows) else None

    @property
    def is_answered(self) -> bool:
        """Whether an answer is shown."""
        return self.has_class("-answered")

    def show(self, sketch: ComposePreview) -> None:
        """Show other rows, at the same position."""
        before = self.row
        self._rows = sketch.rows
        self._place = min(self._place, max(0, len(self._rows) - 1))
        if before is None or self.row is None or before.request != self.row.request:
            self.remove_class("-answered")
        self._draw()

    def next_row(self) -> None:
        """Show the next of the rows."""
        if self._rows:
            self._place = (self._place + 1) % len(self._rows)
            self.remove_class("-answered")
            self._draw()

    def show_error(self, error: BatchdeckError, *, hint: bool = False) -> None:
        """Show an error instead of a preview; ``hint`` marks unfinished input, not a mistake."""
        self._rows = ()
        self.remove_class("-answered")
        self._head.update("")
        mark, tone = ("· ", "muted") if hint else ("✗ ", "bad")
        parts: list[Part] = [(mark + one_line(error.message, 400), tone)]  # type: ignore[list-item]
        if error.hint:
            parts.append(("\n\n" + one_line(error.hint, 600), "muted"))
        self._request.border_title = "Request"
        self._request.show_content(content(parts))

    def show_answer(self, shown: Content, title: str = "Answer") -> None:
        """Show the answer to the row."""
        self._answer.border_title = title
        self._answer.show_content(shown)
        self.add_class("-answered")

    def _draw(self) -> None:
        row = self.row
        if row is not None:
            self._head.update(content([*preview_head(self._rows, self._place), *self.HINT]))
            self._request.show_content(request_text(row))

    @on(events.Click, "#preview-head")
    def _head_clicked(self) -> None:
        self.next_row()


DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
"""Delimiters by name; the command line accepts others."""

_HEADERS = {"header row": True, "no header": False}


@dataclass(frozen=True)
class TableFormat:
    """How to read a table; ``None`` means detect."""

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    quoting: Quoting | None = None


_QUOTING: dict[str, Quoting] = {
    "quotes as in Excel": "double",
    "stray marks are text": "lenient",
    "marks escaped by \\": "backslash",
    "marks after spaces": "spaced",
    "apostrophes quote": "single",
    "\\n and \\t are decoded": "escapes",
    "all marks are text": "none",
}


class TableOptions(Horizontal):
    """Four fields to override the table format; placeholders show the detected values.

    Args:
        found: The detected encoding, delimiter and header (see ``Source.notes``).
    """

    DEFAULT_CSS = """
    TableOptions { height: 1; width: 1fr; }
    TableOptions > Select { width: 1fr; height: 1; margin-right: 1; }
    TableOptions > #table-header { min-width: 13; }
    TableOptions SelectCurrent Static { text-wrap: nowrap; text-overflow: ellipsis; }
    TableOptions > Input { width: 1fr; }
    """

    @dataclass
    class Changed(Message):
        """Posted when the format changed."""

        reading: TableFormat

    def __init__(self, found: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        encoding, cells, header = found
        self._found = encoding, cells.removesuffix("-separated"), header
        self._posted = TableFormat()

    def compose(self) -> ComposeResult:
        """The delimiter, header and encoding fields."""
        encoding, cells, header = self._found
        header = header if header in _HEADERS else next(iter(_HEADERS))
        fields: tuple[Widget, ...] = (
            Select[str](list(DELIMITERS.items()), prompt=cells, compact=True, id="table-delimiter"),
            Select[bool](list(_HEADERS.items()), prompt=header, compact=True, id="table-header"),
            Select[Quoting](
                list(_QUOTING.items()), prompt="quotes", compact=True, id="table-quoting"
            ),
            Field(placeholder=encoding, compact=True, id="table-encoding"),
        )
        names = ("Delimiter", "Header", "Quotation marks", "Encoding")
        for field, what in zip(fields, names, strict=True):
            field.tooltip = f"{what}: detected unless set here"
            yield field

    @property
    def reading(self) -> TableFormat:
        """The selected format."""
        delimiter = self.query_one("#table-delimiter", Select).value
        header = self.query_one("#table-header", Select).value
        encoding = self.query_one("#table-encoding", Input).value.strip()
        quoting = self.query_one("#table-quoting", Select).value
        return TableFormat(
            quoting=None if quoting is Select.NULL else cast(Quoting, quoting),
            delimiter=None if delimiter is Select.NULL else cast(str, delimiter),
            encoding=encoding or None,
            header=None if header is Select.NULL else cast(bool, header),
        )

    def _post_changed(self) -> None:
        reading = self.reading
        if reading != self._posted:
            self._posted = reading
            self.post_message(self.Changed(reading))

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        self._post_changed()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        # A partial name is not a valid encoding: apply it on enter or blur.
        event.stop()

    @on(Input.Submitted)
    @on(Input.Blurred)
    def _entered(self, event: Input.Submitted | Input.Blurred) -> None:
        event.stop()
        self._post_changed()


MAX_TEXT_LENGTH = 200_000
"""Maximum length of an editable text; a longer TextArea delays every key."""

_STAND_IN = "\ufffd"
_TOKEN = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<text>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)"
)
_COLOURS = {"name": "primary", "text": "success", "number": "warning", "word": "accent"}


def _shown(character: str) -> str:
    """Return a one-cell replacement for a control character, to keep columns aligned."""
    if character.isprintable() or character == "\t":
        return character
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else _STAND_IN


_TAKEN = ("f6", "f7")
"""Keys of Textual's text area (select a line, select all) that are commands of Compose."""


class PlainTextArea(TextArea):
    """A multi-line text; tab moves the focus, and control characters are shown as symbols."""

    DEFAULT_CSS = """
    PlainTextArea { padding: 0 1; height: 3; scrollbar-size-vertical: 1; }
    """

    def __init__(self, text: str = "", **more: Any) -> None:
        super().__init__(
            text[:MAX_TEXT_LENGTH],
            soft_wrap=True,
            compact=True,
            tab_behavior="focus",
            highlight_cursor_line=False,
            **more,
        )
        for key in _TAKEN:
            self._bindings.key_to_bindings.pop(key, None)

    def get_line(self, line_index: int) -> Text:
        """A line, with control characters replaced."""
        text = self.document.get_line(line_index)
        if visible(text) != text:
            text = "".join(c if visible(c) == c else _shown(c) for c in text)
        return Text(text, end="", no_wrap=True)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines; blank before the styles are there, which a dialog on top may ask for."""
        if not self._component_styles:
            return [Strip.blank(crop.width)] * crop.height
        return super().render_lines(crop)

    def replace_text(self, text: str) -> None:
        """Replace the whole text; a notification says that it was too long."""
        self.text = text[:MAX_TEXT_LENGTH]
        if len(text) > MAX_TEXT_LENGTH:
            self._note_truncated()

    async def _on_paste(self, event: events.Paste) -> None:
        space = max(0, MAX_TEXT_LENGTH - len(self.text) + len(self.selected_text))
        if len(event.text) > space:
            event.stop()
            event.prevent_default()
            self.replace(event.text[:space], *self.selection)
            self._note_truncated()

    def _note_truncated(self) -> None:
        words = f"Truncated to {MAX_TEXT_LENGTH:,} characters; use a file for longer texts"
        self.notify(words, markup=False, severity="warning")


class JsonTextArea(PlainTextArea):
    """A JSON editor with syntax colours, line by line: a JSON string never spans lines."""

    MAX_COLOURED: ClassVar[int] = 4_000
    """Maximum number of characters coloured per line."""

    def get_line(self, line_index: int) -> Text:
        """A line with syntax colours."""
        line = super().get_line(line_index)
        variables = self.app.theme_variables
        for found in _TOKEN.finditer(line.plain[: self.MAX_COLOURED]):
            colour = variables.get(_COLOURS[found.lastgroup or "text"])
            if colour:
                line.stylize(_style(colour), found.start(), found.end())
        return line


def _style(colour: str) -> Style:
    return Style.from_color(Color.parse(colour).rich_color)
