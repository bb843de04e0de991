"""The request step: a JSON editor that validates one request as it is typed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Static, TextArea

from tui.core.text import BOM, one_line
from tui.errors import BatchdeckError
from tui.ui.drafts import NEW_REQUEST_PLACE, Draft
from tui.ui.external_programs import edit_text
from tui.ui.panes.compose.steps import ComposeContext, Step, place_of
from tui.ui.session import Session
from tui.ui.text.tones import Part, content
from tui.ui.widgets.compose_inputs import MAX_TEXT_LENGTH, JsonTextArea, PlainTextArea

NEW_REQUEST = {
    "custom_id": "request-1",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {
        "model": "",
        "max_tokens": 400,
        "messages": [{"role": "user", "content": ""}],
    },
}
"""The initial content of a new request."""


@dataclass(frozen=True)
class RequestTarget:
    """Where a request is saved.

    ``path`` is the file to copy with the request in it, ``None`` for a new file; ``line`` is the
    line to replace, ``None`` to append.
    """

    path: Path | None = None
    line: int | None = None


def request_problem(text: str) -> str:
    """What is wrong with the text of a request; empty if it is valid.

    Syntax errors include line and column.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        text.encode()
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except UnicodeEncodeError:
        return "it contains a lone surrogate"
    except ValueError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    if not isinstance(value, dict):
        return "a request must be a JSON object"
    if not isinstance(value.get("custom_id"), str) or not value["custom_id"]:
        return "it has no custom_id"
    if not isinstance(value.get("body", value.get("params")), dict):
        return "it has neither body nor params"
    return ""


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not valid JSON")


class RequestStep(Step):
    """Edits one request.

    Args:
        context: The shared context of the steps.
        line: The initial request line; empty for a new one.
        place: Where the request is saved.
        name: The name of the file to write.
    """

    DEFAULT_CSS = """
    RequestStep #request-text { height: 1fr; margin-top: 1; }
    RequestStep .step-buttons { margin-top: 0; }
    """

    def __init__(
        self, context: ComposeContext, line: bytes, place: RequestTarget, name: str
    ) -> None:
        super().__init__(context)
        self._place = place
        self._file_name = name
        self._written: Path | None = None
        self._problem = ""
        self._saved_text = ""
        self._warned = False
        self._title = Static("", classes="step-line", markup=False)
        self._state = Static("", classes="step-line", id="request-state", markup=False)
        self._base = _pretty(line)
        draft = context.session.drafts.find(self._draft_place)
        is_same = draft is not None and draft.base == self._base
        text = draft.request if draft is not None and is_same else self._base
        self._area = JsonTextArea(text, show_line_numbers=True, id="request-text")

    @property
    def _draft_place(self) -> str:
        path, line = self._place.path, self._place.line
        return NEW_REQUEST_PLACE if path is None else f"{place_of(str(path))}#{line}"

    @property
    def draft(self) -> Draft | None:
        """The text, if it was changed and not saved."""
        text = self._area.text
        if not self.is_mounted or text == self._saved_text:
            return None
        return Draft(self._draft_place, request=text, base=self._base)

    @property
    def area(self) -> JsonTextArea:
        """The text of the request."""
        return self._area

    def compose(self) -> ComposeResult:
        """The title, the text, the validation message and the buttons."""
        yield self._title
        yield self._area
        yield self._state
        with Horizontal(classes="step-buttons"):
            yield Button("Save and check  ^r", id="do-check", variant="primary", compact=True)
            yield Button("Save and add another", id="do-another", compact=True)
            yield Button("In $EDITOR  ^o", id="do-outside", compact=True)

    def on_mount(self) -> None:
        """Validate the initial text."""
        self._saved_text = self._base
        self._draw_title()
        if self._area.text != self._base:
            self.notify("Draft restored", markup=False)
        self._validate()

    def why_disabled(self, command_id: str) -> str:
        """Why a command is unavailable."""
        if command_id in ("check", "submit", "another") and self._problem:
            return f"The request is invalid: {self._problem}."
        if command_id == "another" and self._place.line is not None:
            return "This request replaces a line of the file."
        return super().why_disabled(command_id)

    def focus_first(self) -> None:
        """Focus the text."""
        self._area.focus()

    def go_back(self) -> bool:
        """Leave the text; warn once before discarding changes."""
        if self._area.has_focus:
            # A disabled button cannot take the focus.
            buttons = [button for button in self.query(Button) if not button.disabled]
            self.screen.set_focus(buttons[0])
            return True
        if self._area.text != self._saved_text and not self._warned:
            self._warned = True
            self.notify(
                "Not saved. Press esc again to leave; a draft is kept.", markup=False, timeout=3
            )
            return True
        return False

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._warned = False
        self._validate()

    def _validate(self) -> None:
        self._problem = request_problem(self._area.text)
        if self._problem:
            parts: list[Part] = [(f"✗ {one_line(self._problem, 200)}", "bad")]
        else:
            parts = [("✓ Valid request", "good")]
        self._state.update(content(parts))
        self.update_buttons()

    def _draw_title(self) -> None:
        place = self._place
        words = "New request in a new file"
        if place.path is not None and place.line is not None:
            name = one_line(place.path.name, 60)
            words = f"Line {place.line:,} of {name}, saved to a copy of the file"
        self._title.update(content([(words, "muted")]))

    def do_check(self) -> None:
        """Save the request and check the file."""
        self._save(another=False, submit=False)

    def do_submit(self) -> None:
        """Save the request, check the file, and ask to submit it."""
        self._save(another=False, submit=True)

    def do_another(self) -> None:
        """Save the request and start another."""
        self._save(another=True, submit=False)

    def do_editor(self) -> None:
        """Open the request in the user's editor."""
        edit_area(self.context.session, self._area)

    do_outside = do_editor

    @work(group="compose", exclusive=True, exit_on_error=False)
    async def _save(self, *, another: bool, submit: bool) -> None:
        engine = self.context.engine
        if self._problem:
            return
        # JSON strings never span lines, so joining lines does not change any value.
        line = " ".join(part.strip() for part in self._area.text.split("\n")).strip()
        out = self._written or engine.requests.composed_path(self._file_name)
        try:
            number = await engine.requests.write_line(
                self._place.path, out, line.encode(), self._place.line
            )
        except BatchdeckError as error:
            self._state.update(content([(f"✗ {one_line(error.message, 200)}", "bad")]))
            return
        self.context.session.drafts.forget([self._draft_place])
        self._written, self._saved_text = out, self._area.text
        self._place = RequestTarget(out, None if another else number)
        if not another:
            self.post_message(self.FileWritten(out, submit))
            return
        value = json.loads(line)
        value["custom_id"] = f"request-{number + 1}"
        self._area.text = self._saved_text = _pretty(json.dumps(value).encode())
        self._title.update(content([(f"Request {number + 1:,} of a new file", "muted")]))
        self._area.focus()


def _pretty(line: bytes) -> str:
    """Indent a request line; invalid JSON is returned unchanged."""
    if not line:
        return json.dumps(NEW_REQUEST, indent=2)
    try:
        return msgspec.json.format(line.removeprefix(BOM), indent=2).decode()
    except (ValueError, RecursionError):
        return line.decode("utf-8", "replace")


def edit_area(session: Session, area: PlainTextArea) -> None:
    """Edit the text of an area in the user's editor."""
    text = edit_text(session, area.text, ".json" if isinstance(area, JsonTextArea) else ".txt")
    if text is not None:
        area.replace_text(text)


def line_too_long(line: bytes) -> str:
    """Why a line cannot be edited here; empty if it can."""
    if len(line) > MAX_TEXT_LENGTH:
        return "The line is too long to edit here. Press o to open the file in your editor."
    return ""
