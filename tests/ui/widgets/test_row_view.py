"""Reading one row: typed answers, hostile and huge lines, attempts, files, schemas."""

from __future__ import annotations

import base64
import json
import threading
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from PIL import Image

from tests.hostile.corpus import raw_in
from tests.ui.conftest import BatchdeckPilot, fake_app, notes, running, screen_text, until
from tests.ui.fakes import FakeEngine, FakeHistory, a_job
from tui.core.rows import Attempt, Outcome, RowDetail
from tui.ui.app import BatchdeckApp
from tui.ui.panes.results import pane
from tui.ui.widgets.text_page import Page


class OneAnswer(FakeHistory):
    """A history whose rows all have the lines that the test wants."""

    request: bytes = b'{"custom_id":"a","body":{"model":"m","messages":[]}}'
    line: bytes = b""
    outcome = Outcome.SUCCEEDED
    schema: bytes = b""
    lines: tuple[bytes, ...] = ()
    edits: ClassVar[dict[str, Any]] = {}
    gate: threading.Event | None = None
    asked = 0

    def _row(self, job_id: str, seq: int) -> RowDetail:
        self.asked += 1
        if self.gate is not None:
            assert self.gate.wait(20)
        row = super()._row(job_id, seq).row
        row = msgspec.structs.replace(row, outcome=self.outcome, error=None)
        line = self.lines[seq] if self.lines else self.line
        attempt = Attempt(row=row, line=line, edits=self.edits)
        return RowDetail(row=row, request=self.request, attempts=(attempt,), schema=self.schema)


def answer(body: Any) -> bytes:
    """A result line with this body."""
    line = {"custom_id": "a", "response": {"status_code": 200, "body": body}}
    return json.dumps(line).encode()


def said(content: Any) -> bytes:
    """A result line in which the model said this."""
    return answer({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})


def app_with(engine: FakeEngine, line: bytes, **more: Any) -> BatchdeckApp:
    """The app on a job whose rows all have one line."""
    history = OneAnswer()
    history.line = line
    for name, value in more.items():
        setattr(history, name, value)
    engine.history = history
    history.add(a_job())
    return fake_app(engine)


async def reading(app: BatchdeckApp, pilot: BatchdeckPilot) -> str:
    """Open the first row; what is on the screen once it is read."""
    await pilot.press("enter")
    await until(pilot, lambda: app.main.pane == "results")
    await pilot.press("enter")
    await until(pilot, lambda: app.main.results.is_reading)
    await until(pilot, lambda: app.main.results.view.detail is not None)
    await app.main.results.view.wait_until_shown()
    await pilot.pause()
    return screen_text(app)


def answer_page(app: BatchdeckApp) -> Page:
    return app.main.results.view.query_one("#row-answer", Page)


DEEP = b'{"custom_id":"a","response":{"body":' + b"[" * 20_000 + b"]" * 20_000 + b"}}"
NESTED: Any = "end"
for _ in range(300):
    NESTED = {"a": NESTED}
BIG = "word [red]x[/] \x1b[31m\u202e " * 350_000
LINES: dict[str, tuple[bytes, str]] = {
    "ten megabytes": (said(BIG), "word [red]x[/] \\x1b[31m"),
    "three megabytes without a space": (said("x" * 3_000_000), "xxxx"),
    "one line of wide letters": (said("字" * 70_000), "字"),
    "too deep": (DEEP, '"custom_id"'),
    "deep": (answer({"odd": NESTED}), '"odd"'),
    "not a number": (b'{"custom_id":"a","response":{"body":{"x":NaN,"y":[1]}}}', '"x": null'),
    "lone surrogate": (b'{"custom_id":"a","response":{"body":{"x":"\\ud800"}}}', '"x"'),
    "markup": (said("[/] [b] [@click=app.quit]x[/] [link=y"), "[@click=app.quit]x[/]"),
    "bidi": (said("user\u202enimda \u2066x"), "⟨U+202E⟩"),
    "escapes": (said("\x1b]0;owned\x07 \x9b2J"), "\\x1b]0;owned\\x07"),
    "odd lines": (said("one\u2028two\x85three\x0cfour\r\nfive"), "⟨U+2028⟩"),
    "no json": (b"\xff\xfe not json", "not json"),
    "many parts": (said(None)[:-2] + b',"x":[' + b'"",' * 900_000 + b'""]}}', "custom_id"),
}


async def test_no_line_is_too_hostile_to_be_read(engine: FakeEngine) -> None:
    app = app_with(engine, b"", lines=tuple(line for line, _ in LINES.values()))
    async with running(app) as pilot:
        await reading(app, pilot)
        view = app.main.results.view
        for seq, (name, (_, words)) in enumerate(LINES.items()):
            await until(pilot, lambda seq=seq: view.detail and view.detail.row.seq == seq)
            text = screen_text(app)
            assert words in text, name
            assert raw_in(text) == [], name
            await pilot.press("w")
            await view.wait_until_shown()
            await pilot.press("G")
            await pilot.pause()
            assert raw_in(screen_text(app)) == [], name
            await pilot.press("w", "n")


async def test_the_cursor_never_waits_for_a_row(engine: FakeEngine) -> None:
    gate = threading.Event()
    app = app_with(engine, said("hello"), gate=gate)
    async with running(app) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.pane == "results")
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.is_reading)
        view = app.main.results.view
        await until(pilot, lambda: engine.history.asked == 1)  # type: ignore[attr-defined]
        for place in range(2, 8):
            await pilot.press("n")
            await until(pilot, lambda place=place: f" {place} of " in screen_text(app))
        assert app.main.results.rows_table.cursor_id == 6
        assert view.detail is None
        asked = engine.history.asked  # type: ignore[attr-defined]
        assert asked == 1
        gate.set()
        await until(pilot, lambda: view.detail is not None and view.detail.row.seq == 6)
        # Of the rows that were passed meanwhile only the last one is read.
        assert engine.history.asked <= 3  # type: ignore[attr-defined]


async def test_what_is_saved_is_of_the_row_under_the_cursor(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(engine, said("hello"))
    async with running(app) as pilot:
        await reading(app, pilot)
        # The key comes before the next row is read.
        monkeypatch.setattr(pane, "READ_DELAY", 3600.0)
        await pilot.press("n")
        app.main.results.action_save_media()
        view = app.main.results.view
        await until(pilot, lambda: view.detail is not None and view.detail.row.seq == 1)


async def test_a_long_answer_is_shown_part_by_part(engine: FakeEngine) -> None:
    app = app_with(engine, said("\n".join(f"line {number}" for number in range(20_000))))
    async with running(app) as pilot:
        await reading(app, pilot)
        page = answer_page(app)
        before = page.virtual_size.height
        assert 5_000 < before < 10_000
        await pilot.press("G")
        await until(pilot, lambda: "enter shows the next part" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: page.virtual_size.height > before)
        lines = page.text.split("\n")
        assert "line 12000" in lines and lines.index("line 12000") == 12_000
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "next part" not in page.text)
        await pilot.press("G")
        await until(pilot, lambda: "line 19999" in screen_text(app))


async def test_lines_follow_the_width(engine: FakeEngine) -> None:
    app = app_with(engine, said("word " * 200))
    async with running(app, (80, 24)) as pilot:
        await reading(app, pilot)
        page = answer_page(app)
        before = page.virtual_size.height
        await pilot.resize_terminal(200, 60)
        await until(pilot, lambda: page.virtual_size.height != before)
        assert max(map(len, page.text.split("\n"))) <= page.text_width
        assert page.region.x > app.main.results.view.query_one("#row-request").region.x


async def test_the_next_row_keeps_the_typed_view(engine: FakeEngine) -> None:
    app = app_with(engine, said("hello"))
    async with running(app) as pilot:
        await reading(app, pilot)
        await pilot.press("w")
        await until(pilot, lambda: '"choices"' in screen_text(app))
        await pilot.press("n", "n", "p")
        await until(pilot, lambda: "row-0000001" in screen_text(app))
        assert '"choices"' in screen_text(app)


async def test_entities_stand_inside_their_text(engine: FakeEngine) -> None:
    request = {"custom_id": "a", "body": {"model": "extract", "text": "Ann lives in Rome."}}
    entities = [{"type": "place", "value": "Rome", "score": 0.9}]
    line = said(json.dumps({"entities": entities}))
    app = app_with(engine, line, request=json.dumps(request).encode())
    async with running(app) as pilot:
        text = await reading(app, pilot)
        assert "Ann lives in Rome[place 0.90]." in text


async def test_the_request_is_the_one_that_was_sent(engine: FakeEngine) -> None:
    app = app_with(engine, said("x"), edits={"model": "bigger", "@system": "More."})
    async with running(app) as pilot:
        text = await reading(app, pilot)
        assert "bigger" in text and "More." in text


async def test_an_answer_that_misses_the_schema_says_where(engine: FakeEngine) -> None:
    app = app_with(engine, said('{"a": 1}'), schema=b'{"required": ["b"]}')
    async with running(app) as pilot:
        text = await reading(app, pilot)
        assert "violates schema" in text
        assert '$: "b" is a required property' in text


async def test_images_are_drawn_then_saved(engine: FakeEngine, tmp_path: Path) -> None:
    file = BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(file, "PNG")
    broken = b"\x89PNG\r\n\x1a\n" + bytes(3000)
    both = [{"b64_json": base64.b64encode(data).decode()} for data in (file.getvalue(), broken)]
    app = app_with(engine, answer({"data": both}))
    async with running(app) as pilot:
        await reading(app, pilot)
        app.session.state.export_folder = str(tmp_path)
        await pilot.press("i")
        await until(pilot, lambda: "1 of 2 · PNG" in screen_text(app))
        assert "▀" * 8 in screen_text(app)
        await pilot.press("right")
        await until(pilot, lambda: "2 of 2 · PNG" in screen_text(app))
        assert "cannot be drawn here" in screen_text(app) and "▀" not in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("i")
        await until(pilot, lambda: "1 of 2 · PNG" in screen_text(app))
        await pilot.press("s")
        await until(pilot, lambda: "2 images in this answer" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: notes(app))
        assert (tmp_path / "row-0000000-1.png").read_bytes() == file.getvalue()
        assert (tmp_path / "row-0000000-2.png").read_bytes() == broken


async def test_images_are_saved_where_nothing_can_draw_them(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.ui.tasks.export.can_draw", lambda: False)
    data = b"\x89PNG\r\n\x1a\n" + bytes(3000)
    encoded = base64.b64encode(data).decode()
    app = app_with(engine, answer({"data": [{"b64_json": encoded}, {"b64_json": encoded}]}))
    (tmp_path / "row-0000000-1.png").write_bytes(b"mine")
    async with running(app) as pilot:
        text = await reading(app, pilot)
        assert "i saves all 2" in text and encoded[:40] not in text
        app.session.state.export_folder = str(tmp_path)
        await pilot.press("i")
        await until(pilot, lambda: "2 images in this answer" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: notes(app))
        assert (tmp_path / "row-0000000-1.png").read_bytes() == b"mine"
        assert (tmp_path / "row-0000000-1-2.png").read_bytes() == data
        assert (tmp_path / "row-0000000-2.png").read_bytes() == data


async def test_without_images_there_is_nothing_to_save(engine: FakeEngine) -> None:
    app = app_with(engine, said("hello"))
    async with running(app) as pilot:
        await reading(app, pilot)
        await pilot.press("i")
        await until(pilot, lambda: notes(app))
        assert "no images" in notes(app)[0]


async def test_a_click_on_the_last_line_shows_more(engine: FakeEngine) -> None:
    app = app_with(engine, said("\n".join(f"line {number}" for number in range(9_000))))
    async with running(app) as pilot:
        await reading(app, pilot)
        page = answer_page(app)
        before = page.virtual_size.height
        await pilot.press("G")
        await until(pilot, lambda: "enter shows" in screen_text(app))
        bottom = page.region.height - 2
        await pilot.click("#row-answer", offset=(4, bottom))
        await until(pilot, lambda: page.virtual_size.height > before)


async def test_the_place_among_the_rows_shown_is_told(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await reading(app, pilot)
        assert "1 of 1,000" in screen_text(app)
        await pilot.press("escape", "e")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 20)
        await pilot.press("enter", "n")
        await until(pilot, lambda: "2 of 20, 1,000 in total" in screen_text(app))
        # A long id leaves room for what became of the row.
        assert "✗ failed" in screen_text(app)


async def test_what_is_said_of_an_answer_is_not_copied_with_it(engine: FakeEngine) -> None:
    body = {"response_format": {"type": "json_object"}, "messages": []}
    request = json.dumps({"custom_id": "a", "body": body}).encode()
    app = app_with(engine, said("no JSON at all"), request=request)
    copied: list[str] = []
    async with running(app) as pilot:
        app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        assert "Does not match the schema" in await reading(app, pilot)
        await pilot.press("y")
        await until(pilot, lambda: copied)
        assert copied == ["no JSON at all"]
        assert "Does not match the schema" in await app.main.results.view.whole_text()


@pytest.mark.parametrize(("width", "beside"), [(140, False), (179, False), (180, True)])
async def test_a_row_has_the_room_of_both_panes_where_that_is_needed(
    engine: FakeEngine, width: int, beside: bool
) -> None:
    app = app_with(engine, said("hello"))
    async with running(app, (width, 40)) as pilot:
        assert app.main.batches.display and app.main.results.display
        await reading(app, pilot)
        await until(pilot, lambda: app.main.batches.display is beside)
        view = app.main.results.view
        assert answer_page(app).region.x > view.query_one("#row-request").region.x
        await pilot.press("escape")
        await until(pilot, lambda: app.main.batches.display)
        await pilot.press("enter", "2")
        await until(pilot, lambda: app.main.pane == "batches")
        assert app.main.batches.display


async def test_an_answer_that_was_cut_says_what_helps(engine: FakeEngine) -> None:
    app = app_with(engine, said("half an ans"), outcome=Outcome.TRUNCATED)
    async with running(app) as pilot:
        assert "cut off: R retries with more tokens" in await reading(app, pilot)
