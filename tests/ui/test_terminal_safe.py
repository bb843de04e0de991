"""Text of others reaches the terminal through one door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widgets import Input, Label, OptionList, Static, TextArea

import tui.ui
from tests.ui.conftest import fake_app, running, until
from tests.ui.fakes import FakeEngine, a_job
from tui.core.text import is_safe
from tui.ui.text.terminal_safe import TerminalDoor
from tui.ui.widgets.basics import TextInput

EVIL = "\x1b]0;PWN\x07 \x9b31m \u202etxt \u200b"
UI = Path(tui.ui.__file__).parent


def drawn(app: App[object]) -> str:
    """Everything that the compositor gives to the driver."""
    return "".join(
        segment.text
        for strip in app.screen._compositor.render_strips()
        for segment in strip
        if not segment.control
    )


def test_a_line_keeps_its_width() -> None:
    for text in (EVIL, "a\x1bb", "plain", "\u3164wide\uffa0", "\x00" * 9):
        [segment] = TerminalDoor().apply([Segment(text)], Color(0, 0, 0))
        assert is_safe(segment.text) and cell_len(segment.text) == cell_len(text)


class _Careless(App[None]):
    """An app whose widgets forget to make text visible."""

    def __init__(self) -> None:
        super().__init__()
        self._filters.append(TerminalDoor())

    def compose(self) -> ComposeResult:
        yield Input(EVIL)
        yield Input(placeholder=EVIL)
        yield Static(EVIL, markup=False)
        yield Label(EVIL, markup=False)
        yield OptionList(EVIL)
        yield TextArea(EVIL)


async def test_no_widget_writes_what_a_terminal_obeys() -> None:
    app = _Careless()
    async with app.run_test() as pilot:
        app.notify(EVIL, title=EVIL, markup=False)
        await pilot.pause()
        text = drawn(app)
        assert "PWN" in text and is_safe(text)


async def test_a_note_is_shown_written_out_and_kept(engine: FakeEngine) -> None:
    engine.history.add(a_job(1, note=EVIL))
    app = fake_app(engine)
    async with running(app) as pilot:
        assert any(isinstance(each, TerminalDoor) for each in app._filters)
        await pilot.press("N")
        await until(pilot, lambda: bool(app.screen.query("#ask")))
        field = app.screen.query_one("#ask", TextInput)
        assert "\\x1b]0;PWN\\x07" in field.value and is_safe(field.value)
        assert field.text == " ".join(EVIL.split())
        assert is_safe(drawn(app))


def _is_door(node: ast.expr | None) -> bool:
    """Is a value of an input constant, or made visible?"""
    return (
        node is None
        or isinstance(node, ast.Constant)
        or (isinstance(node, ast.Call) and ast.unparse(node.func) in ("visible", "one_line"))
    )


@pytest.mark.parametrize(
    "path", sorted(UI.rglob("*.py")), ids=lambda path: path.relative_to(UI).as_posix()
)
def test_an_input_with_a_value_from_elsewhere_is_a_text_input(path: Path) -> None:
    wrong = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("Input", "PathInput")
        and not _is_door(
            next(
                (word.value for word in node.keywords if word.arg == "value"),
                node.args[0] if node.args else None,
            )
        )
    ]
    assert wrong == []
