"""One request by hand: JSON with its colours, checked while it is typed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Static, TextArea

from tui.core.lines import BOM
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.screens.compose.step import Desk, Step
from tui.ui.tones import Part, content
from tui.ui.widgets.compose_text import PASTE_CAP, JsonArea, PlainArea, too_long_note

FIRST = {
    "custom_id": "request-1",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {
        "model": "",
        "max_tokens": 400,
        "messages": [{"role": "user", "content": ""}],
    },
}
"""What a new request begins as."""


@dataclass(frozen=True)
class Place:
    """Where a request comes from and goes to.

    ``path`` is the file that is copied with the request in it, ``None`` for a new one;
    ``line`` which line it replaces, ``None`` to add it.
    """

    path: Path | None = None
    line: int | None = None


def trouble_of(text: str) -> str:
    """What is wrong with the text of a request; empty when a line can be made of it.

    Where it is no JSON, line and column are named.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        text.encode()
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except UnicodeEncodeError:
        return "it holds half a character (a lone surrogate)"
    except ValueError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    if not isinstance(value, dict):
        return "a request is an object in braces"
    if not isinstance(value.get("custom_id"), str) or not value["custom_id"]:
        return "it has no custom_id"
    if not isinstance(value.get("body", value.get("params")), dict):
        return "it has neither body nor params"
    return ""


def _refuse(word: str) -> None:
    raise ValueError(f"JSON knows no {word}")


class RequestStep(Step):
    """An editor for one request.

    Args:
        desk: What the steps share.
        line: The request line to begin with; empty for a new one.
        place: Where it goes.
        name: Of the file that is written.
    """

    DEFAULT_CSS = """
    RequestStep #request-text { height: 1fr; margin-top: 1; }
    RequestStep .step-buttons { margin-top: 0; }
    """

    def __init__(self, desk: Desk, line: bytes, place: Place, name: str) -> None:
        super().__init__(desk)
        self._place = place
        self._file_name = name
        self._written: Path | None = None
        self._trouble = ""
        self._kept = ""
        self._warned = False
        self._title = Static("", classes="step-line", markup=False)
        self._state = Static("", classes="step-line", id="request-state", markup=False)
        self._area = JsonArea(_pretty(line), show_line_numbers=True, id="request-text")

    def compose(self) -> ComposeResult:
        """Where it goes, the text, whether it can, and the buttons."""
        yield self._title
        yield self._area
        yield self._state
        with Horizontal(classes="step-buttons"):
            yield Button("Save and check  ^r", id="do-check", variant="primary", compact=True)
            yield Button("Save, write another", id="do-another", compact=True)
            yield Button("In $EDITOR  ^o", id="do-outside", compact=True)

    def on_mount(self) -> None:
        """Begin with what is there."""
        self._kept = self._area.text
        self._draw_title()
        self._judge()

    def why_not(self, command_id: str) -> str:
        """Why a command is off."""
        if command_id in ("check", "submit", "another") and self._trouble:
            return f"The request cannot be used: {self._trouble}."
        if command_id == "another" and self._place.line is not None:
            return "It takes the place of a line."
        return super().why_not(command_id)

    def focus_first(self) -> None:
        """To the text."""
        self._area.focus()

    def go_back(self) -> bool:
        """Leave the text; what is not saved is not left without a word."""
        if self._area.has_focus:
            # A button that is off takes no keys, and the text would keep them.
            buttons = [button for button in self.query(Button) if not button.disabled]
            self.screen.set_focus(buttons[0])
            return True
        if self._area.text != self._kept and not self._warned:
            self._warned = True
            self.app.notify("It is not saved: esc again leaves it", markup=False, timeout=3)
            return True
        return False

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._warned = False
        self._judge()

    @on(PlainArea.TooLong)
    def _too_long(self, event: PlainArea.TooLong) -> None:
        event.stop()
        self.app.notify(too_long_note().plain, markup=False, severity="warning")

    def _judge(self) -> None:
        self._trouble = trouble_of(self._area.text)
        if self._trouble:
            parts: list[Part] = [(f"✗ {one_line(self._trouble, 200)}", "bad")]
        else:
            parts = [("✓ A request", "good")]
        self._state.update(content(parts))
        for button in self.query(Button):
            button.disabled = bool(self.why_not(str(button.id).removeprefix("do-")))
        self.post_message(self.Redrawn())

    def _draw_title(self) -> None:
        place = self._place
        words = "A request of a new file"
        if place.path is not None and place.line is not None:
            name = one_line(place.path.name, 60)
            words = f"Line {place.line:,} of {name}: a copy of the file gets it"
        self._title.update(content([(words, "muted")]))

    def do_check(self) -> None:
        """Write the file with the request in it, and check it."""
        self._save(another=False, submit=False)

    def do_submit(self) -> None:
        """Write the file, check it, and ask to send it."""
        self._save(another=False, submit=True)

    def do_another(self) -> None:
        """Write the request, and go on with one more."""
        self._save(another=True, submit=False)

    def do_outside(self) -> None:
        """Write the request in the person's editor."""
        from tui.ui.external import edit_text

        text = edit_text(self.app, self._area.text, ".json")
        if text is not None:
            self._area.text = text[:PASTE_CAP]
            if len(text) > PASTE_CAP:
                self.app.notify(too_long_note().plain, markup=False, severity="warning")

    do_editor = do_outside

    @work(group="compose", exclusive=True, exit_on_error=False)
    async def _save(self, *, another: bool, submit: bool) -> None:
        engine = self.desk.engine
        if engine is None or self._trouble:
            return
        # No string of JSON crosses a line, so that every value keeps its very characters.
        line = " ".join(part.strip() for part in self._area.text.split("\n")).strip()
        out = self._written or engine.own_file(self._file_name)
        try:
            number = await engine.put_line(self._place.path, out, line.encode(), self._place.line)
        except BatchdeckError as error:
            self._state.update(content([(f"✗ {one_line(error.message, 200)}", "bad")]))
            return
        self._written, self._kept = out, self._area.text
        self._place = Place(out, None if another else number)
        if not another:
            self.post_message(self.Made(out, submit))
            return
        value = json.loads(line)
        value["custom_id"] = f"request-{number + 1}"
        self._area.text = self._kept = _pretty(json.dumps(value).encode())
        self._title.update(content([(f"Request {number + 1:,} of a new file", "muted")]))
        self._area.focus()


def _pretty(line: bytes) -> str:
    """A line as it is nice to edit; what is no JSON stays as it is."""
    if not line:
        return json.dumps(FIRST, indent=2)
    try:
        return msgspec.json.format(line.removeprefix(BOM), indent=2).decode()
    except (ValueError, RecursionError):
        return line.decode("utf-8", "replace")


def too_long(line: bytes) -> str:
    """Why a line cannot be edited here; empty when it can."""
    if len(line) > PASTE_CAP:
        return "The line is too long to be edited here: o opens the file."
    return ""
