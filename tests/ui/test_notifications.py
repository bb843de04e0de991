"""How the end of a job is told, and what the terminal around the program hears of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.conftest import fake_app, notes, running, until
from tests.ui.fakes import FakeEngine, a_job, with_counts
from tui.config.settings import Config, NotificationsConfig
from tui.core.jobs import BatchStatus, Counts
from tui.engine.events import BatchEnded
from tui.ui.app import BatchdeckApp
from tui.ui.notifications import Terminal, known_style, notification


def listen(app: BatchdeckApp, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    """What the terminal is told, and how often the bell rings."""
    written: list[str] = []
    rung: list[str] = []
    assert app.notifications is not None
    app.notifications.terminal = Terminal(written.append, {"TERM": "xterm-kitty"})
    monkeypatch.setattr(app, "bell", lambda: rung.append("bell"))
    return written, rung


def ends(engine: FakeEngine, *job_ids: str) -> None:
    for job_id in job_ids:
        engine.events.publish(BatchEnded(job_id, "b1", BatchStatus.COMPLETED))


async def test_twelve_ends_are_one_toast(engine: FakeEngine) -> None:
    engine.history.add(*(a_job(number) for number in range(1, 13)))
    app = fake_app(engine)
    async with running(app) as pilot:
        ends(engine, *engine.history.entries)
        await until(pilot, lambda: notes(app))
        assert notes(app) == ["12 jobs ended, 240 rows failed"]


async def test_a_batch_that_ends_before_its_job_is_not_told(engine: FakeEngine) -> None:
    counts = Counts(total=1000, pending=500, succeeded=500)
    running_job = a_job(1, status=BatchStatus.IN_PROGRESS, counts=counts)
    engine.history.add(running_job, with_counts(a_job(2), succeeded=1000))
    app = fake_app(engine)
    async with running(app) as pilot:
        ends(engine, "job0000001")
        ends(engine, "job0000002")
        await until(pilot, lambda: notes(app))
        assert notes(app) == ["reviews 2: 1,000 of 1,000 answered"]


async def test_bell_and_desktop_only_while_nobody_looks(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine)
    async with running(app) as pilot:
        written, rung = listen(app, monkeypatch)
        ends(engine, "job0000001")
        await until(pilot, lambda: len(notes(app)) == 1)
        assert not rung and not any("]9;" in sequence for sequence in written)
        app.app_focus = False
        ends(engine, "job0000002")
        await until(pilot, lambda: len(notes(app)) == 2)
        assert rung == ["bell"]
        (told,) = [sequence for sequence in written if "]9;" in sequence]
        assert told == "\x1b]9;Batchdeck: reviews 2: 980 of 1,000 answered, 20 failed\x07"


async def test_settings_silence_it(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.history.add(a_job(1))
    silent = NotificationsConfig(bell=False, title=False, desktop="off")
    app = fake_app(engine, Config(notifications=silent))
    async with running(app) as pilot:
        written, rung = listen(app, monkeypatch)
        app.app_focus = False
        ends(engine, "job0000001")
        await until(pilot, lambda: notes(app))
        assert not written and not rung


async def test_the_title_says_what_runs_and_what_failed_unseen(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = Counts(total=1000, pending=1000)
    engine.history.add(
        *(a_job(n, status=BatchStatus.IN_PROGRESS, counts=pending) for n in (1, 2, 3)), a_job(4)
    )
    app = fake_app(engine)
    async with running(app) as pilot:
        written, _ = listen(app, monkeypatch)
        app.app_focus = False
        ends(engine, "job0000004")
        await until(pilot, lambda: notes(app))
        app._show_title()
        assert written[0] == "\x1b[22;2t"
        assert "\x1b]2;3 running · 3 need attention - Batchdeck\x07" in written
        assert written[-1] == "\x1b]2;3 running · 3 need attention · 1 failed - Batchdeck\x07"
        app.app_focus = True
        await until(
            pilot, lambda: written[-1] == "\x1b]2;3 running · 3 need attention - Batchdeck\x07"
        )
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
        assert written[-1] == "\x1b[23;2t"


def test_the_same_title_is_not_sent_again() -> None:
    written: list[str] = []
    terminal = Terminal(written.append, {})
    terminal.restore_title()
    terminal.set_title("a")
    terminal.set_title("a")
    assert written == ["\x1b[22;2t", "\x1b]2;a\x07"]


@pytest.mark.parametrize(
    ("environment", "style"),
    [
        ({}, "off"),
        ({"TERM": "xterm-256color"}, "off"),
        ({"TERM_PROGRAM": "iTerm.app"}, "osc9"),
        ({"TERM": "xterm-kitty"}, "osc9"),
        ({"TERM": "foot"}, "osc777"),
        ({"TERM": "rxvt-unicode-256color"}, "osc777"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, "off"),
    ],
)
def test_terminals_that_are_known(environment: dict[str, str], style: str) -> None:
    assert known_style(environment) == style


@given(st.text(), st.text(), st.sampled_from(["osc9", "osc777"]))
def test_no_text_breaks_out_of_a_notification(title: str, text: str, style: Any) -> None:
    sequence = notification(style, title, text)
    inner = sequence[1:].removesuffix("\x07").removesuffix("\x1b\\")
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in inner)
    if style == "osc777":
        assert inner.count(";") == 3
