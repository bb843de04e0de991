"""The driver: windows that are gone or do not read, bytes that are no text, and sizes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import os
import pty
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual import events
from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen

from tests.waiting import Patience, ends
from tui.ui import terminal_driver as driver
from tui.ui.terminal_driver import PASTE_SECONDS, InputReader, TerminalDriver, TerminalOutput


@pytest.mark.parametrize(
    ("method", "known"),
    [
        (LinuxDriver.run_input_thread, "d796af6d"),
        (LinuxDriver._get_terminal_size, "7e80e593"),
        (App._handle_exception, "baea2e7f"),
    ],
)
def test_the_replaced_methods_are_those_of_textual_8_2(method: Any, known: str) -> None:
    """Textual has changed it: compare ours with it, then note what it is now."""
    assert digest(method) == known


def test_the_wrapped_methods_have_the_signatures_of_textual_8_2() -> None:
    """They are replaced on import; their own text is no longer there to compare."""
    assert list(inspect.signature(MessagePump._dispatch_message).parameters)[1:] == ["message"]
    assert list(inspect.signature(Screen.dismiss).parameters)[1:] == ["result"]


def digest(method: Any) -> str:
    return hashlib.sha256(inspect.getsource(method).encode()).hexdigest()[:8]


@pytest.fixture
def window() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    for descriptor in (master, slave):
        try:
            os.close(descriptor)
        except OSError:
            continue


def _write_much(output: TerminalOutput) -> threading.Thread:
    writer = WriterThread(output)  # type: ignore[arg-type]
    writer.start()

    def write() -> None:
        for _ in range(3 * MAX_QUEUED_WRITES):
            writer.write("x" * 10_000)
        writer.stop()

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    return writing


def _until(ready: Callable[[], object]) -> None:
    patience = Patience(20)
    while not ready():
        assert not patience.is_over
        time.sleep(0.01)


def test_writing_to_a_window_that_is_closed_holds_nobody_up(window: tuple[int, int]) -> None:
    master, slave = window
    lost = threading.Event()
    with os.fdopen(os.dup(slave), "w") as file:
        output = TerminalOutput(file, lost.set, lambda: None)
        os.close(master)
        writing = _write_much(output)
        assert ends(writing)
    assert lost.is_set()


def test_a_window_that_does_not_read_holds_nobody_up_and_is_drawn_again(
    window: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "STALL_SECONDS", 0.1)
    master, slave = window
    resumed = threading.Event()
    with os.fdopen(os.dup(slave), "w") as file:
        output = TerminalOutput(file, lambda: None, resumed.set)
        writing = _write_much(output)
        assert ends(writing)
        assert not resumed.is_set()
        os.set_blocking(master, False)

        def reads_again() -> bool:
            try:
                while os.read(master, 1 << 16):
                    pass
            except BlockingIOError:
                pass
            output.write("here again")
            return resumed.is_set()

        _until(reads_again)


class DrawnAgain(App[object]):
    """Notes that all of it was asked to be drawn again."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn_again = asyncio.Event()

    def refresh(self, *_: object, layout: bool = False, **__: object) -> DrawnAgain:
        """Note a full redraw."""
        if layout:
            self.drawn_again.set()
        return self


async def test_a_window_that_reads_again_is_drawn_without_a_further_change(
    window: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was dropped may have been the last for a long time: a pane that was just opened."""
    monkeypatch.setattr(driver, "STALL_SECONDS", 0.1)
    master, slave = window
    with os.fdopen(os.dup(slave), "r") as keys, os.fdopen(os.dup(slave), "w") as screen:
        monkeypatch.setattr(sys, "__stdin__", keys)
        monkeypatch.setattr(sys, "__stdout__", screen)
        app = DrawnAgain()
        terminal = TerminalDriver(app)
        assert terminal._file is not None
        reading = threading.Thread(target=terminal.run_input_thread, daemon=True)
        reading.start()
        try:
            for _ in range(100):
                await asyncio.to_thread(terminal._file.write, "x" * 10_000)
            assert not app.drawn_again.is_set()
            os.set_blocking(master, False)
            patience = Patience(20)
            while not app.drawn_again.is_set():
                assert not patience.is_over
                with contextlib.suppress(BlockingIOError):
                    os.read(master, 1 << 16)
                await asyncio.sleep(0.01)
        finally:
            terminal.exit_event.set()
            await asyncio.to_thread(reading.join, 20)
    assert not reading.is_alive()


async def test_cells_that_are_drawn_twice_are_written_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dialog that closes is three equal frames; a bell, and a text copied twice, are two."""
    written: list[str] = []
    monkeypatch.setattr(LinuxDriver, "write", lambda _, data: written.append(data))
    monkeypatch.setattr(TerminalDriver, "is_gone", False)
    terminal = TerminalDriver(DrawnAgain())
    frame, other = "\x1b[1;1Hframe", "\x1b[2;1Hcells"
    for data in (SYNC_START, frame, SYNC_END, SYNC_START, frame, SYNC_END, "\a", "\a", frame):
        terminal.write(data)
    cells = [data for data in written if data not in (SYNC_START, SYNC_END)]
    assert cells == [frame, "\a", "\a", frame]
    written.clear()
    for data in (other, frame, other):
        terminal.write(data)
    assert written == [other, frame, other]
    # Another program may have written to the screen, or the terminal has cut it.
    terminal._sigcont_application()
    terminal.write(other)
    terminal._send_size()
    terminal.write(other)
    assert written == [other, frame, other, other, other]


async def test_a_program_that_goes_on_is_drawn_by_its_loop_and_not_by_the_signal_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal may arrive while the app begins to wait for a message, which nothing wakes then."""
    monkeypatch.setattr(TerminalDriver, "is_gone", False)
    app = DrawnAgain()
    terminal = TerminalDriver(app)
    terminal._sigcont_application()
    assert not app._message_queue.qsize() and not app.drawn_again.is_set()
    await asyncio.sleep(0)
    assert app.drawn_again.is_set()


class Reading:
    """A reader with a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reader = InputReader(XTermParser, lambda: self.now)

    def keys(self, data: bytes) -> list[str]:
        return [message.key for message in self.read(data) if isinstance(message, events.Key)]

    def read(self, data: bytes) -> list[Message]:
        return list(self.reader.messages(data))


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x9b31m", b"\xe9\xe9", b"\x1b[M \x8a0", b"\xf0\x9f\x98", b"\x80\x81"]
)
def test_bytes_that_are_no_text_do_not_stop_the_keys(data: bytes) -> None:
    reading = Reading()
    reading.read(data)
    assert "j" in reading.keys(b"xjjj")


def test_a_letter_that_arrives_in_two_reads_is_one_letter() -> None:
    reading = Reading()
    reading.read("é".encode()[:1])
    (key,) = reading.read("é".encode()[1:])
    assert isinstance(key, events.Key) and key.character == "é"


def test_a_paste_whose_end_never_comes_does_not_swallow_the_keys_for_ever() -> None:
    reading = Reading()
    assert reading.keys(b"\x1b[200~half a paste") == []
    reading.now += PASTE_SECONDS + 0.1
    pastes = [each for each in reading.read(b"") if isinstance(each, events.Paste)]
    assert [paste.text for paste in pastes] == ["half a paste"]
    assert reading.keys(b"j") == ["j"]


def test_a_slow_paste_stays_one_paste() -> None:
    reading = Reading()
    for part in (b"\x1b[200~a", b"b", b"c\x1b[20"):
        assert reading.keys(part) == []
        reading.now += PASTE_SECONDS / 2
    (paste,) = (each for each in reading.read(b"1~") if isinstance(each, events.Paste))
    assert paste.text == "abc"


@pytest.mark.parametrize("size", [1, 2, 5, 4096])
@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("\x1b[31mqyS" + "y" * 50 + "\x1b[0m\n", "qyS" + "y" * 50 + "\n"),
        ("\x1b" + "q" * 50, "q" * 50),
        ("up \x1b[A, in \x1b[I, out \x1b[O, click \x1b[<0;1;1M", "up , in , out , click "),
        ("\x1b[200~twice\x1b", "twice"),
        # Too long for a sequence.
        ("\x1b[" + "1;" * 50 + "mq", "[" + "1;" * 50 + "mq"),
    ],
)
def test_control_sequences_in_a_paste_are_no_keys(pasted: str, text: str, size: int) -> None:
    """A coloured log in a prompt would press ``S`` and ``y``, or quit."""
    reading = Reading()
    data = f"\x1b[200~{pasted}\x1b[201~".encode() + b"x"
    found = [
        message
        for at in range(0, len(data), size)
        for message in reading.read(data[at : at + size])
    ]
    paste, *keys = found
    assert isinstance(paste, events.Paste)
    assert paste.text == text
    assert [key.key for key in keys if isinstance(key, events.Key)] == ["x"]
    assert len(keys) == 1


def test_a_parser_that_fails_is_replaced() -> None:
    class Broken(XTermParser):
        def feed(self, data: str) -> Any:
            if data == "!":
                raise ZeroDivisionError
            return super().feed(data)

    reader = InputReader(Broken)
    assert list(reader.messages(b"!")) == []
    (key,) = reader.messages(b"j")
    assert isinstance(key, events.Key) and key.key == "j"
