"""The terminal driver: Textual's, but it outlives closed windows, stops, bad bytes and stalls.

Written for Textual 8.2: ``tests/ui/test_terminal_driver.py`` says for each replaced method which
version it was compared with.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

from textual import events
from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

STALL_SECONDS = 2.0
"""Seconds without progress after which output is dropped until the terminal reads again."""

PASTE_SECONDS = 2.0
"""Seconds without a byte after which a paste without an end is taken to be over."""

_POLL_SECONDS = 0.1
_MOUSE_SECONDS = 1.0
_PASTE_START, _PASTE_END = "\x1b[200~", "\x1b[201~"
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]{0,40}[ -/]{0,8}[@-~])?")
_CUT_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]{0,40}[ -/]{0,8})?\Z")
"""A control sequence, or an escape character alone; and one whose end is still to be read."""
_AT_A_PLACE = re.compile(r"\x1b\[\d+;\d+H")
"""What cells are drawn with; what begins otherwise (a bell, a copied text) may mean more twice."""
_SYNC_MARKS = (SYNC_START, SYNC_END)
_CANCEL = b"\x18"
"""Ends a control sequence that was cut off (ECMA-48 CAN)."""


class TerminalDriver(LinuxDriver):
    """A driver that ends when its window is closed, and recovers after SIGSTOP and SIGCONT.

    A closed window sends SIGHUP, followed by SIGCONT. Textual treats any SIGCONT as the end of
    its own ctrl+z and restarts application mode, with a second input thread and a second writer
    thread. The writer thread dies at its first write, and the program waits for it forever.

    Its size is the one that the kernel knows, asked for at each SIGWINCH. Textual stops listening
    to the signal when a terminal says that it reports its size itself (mode 2048), which one
    behind a multiplexer may say and never do.

    It writes to the terminal of standard output: standard error may be redirected or closed. Cells
    that are drawn twice in a row are written once: a dialog that closes is three equal frames.
    """

    def __init__(
        self,
        app: App[object],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._output: TerminalOutput | None = None
        self._drawn = ""
        file = sys.__stdout__ if sys.__stdout__ is not None else sys.__stderr__
        if file is not None:
            self._output = TerminalOutput(file, self._lost, self._resumed)
            self._file = self._output  # type: ignore[assignment]

    def start_application_mode(self) -> None:
        """Take the screen, and follow its size."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if signal.getsignal(signal.SIGWINCH) is not signal.SIG_DFL:
            signal.signal(signal.SIGWINCH, lambda *_: self._tell(self._send_size))

    def write(self, data: str) -> None:
        """Write to the terminal, but not what was written just before."""
        if data not in _SYNC_MARKS:
            is_cells = _AT_A_PLACE.match(data) is not None
            if is_cells and data == self._drawn:
                return
            self._drawn = data if is_cells else ""
        super().write(data)

    def process_message(self, message: Message) -> None:
        """Pass a message of the terminal on to the app."""
        if isinstance(message, events.Resize):
            self._forget_drawn()
            if (size := self._kernel_size()) is not None:
                message = events.Resize.from_dimensions(size, message.pixel_size)
        super().process_message(message)

    @property
    def is_gone(self) -> bool:
        """Is the terminal gone?"""
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return True
        return False

    def stop_input_if_gone(self) -> None:
        """Stop the input thread if the terminal is gone: it would read end-of-file forever."""
        if self.is_gone:
            self.exit_event.set()

    def _lost(self) -> None:
        # Not every terminal sends a signal when its window is closed.
        self.exit_event.set()
        self._tell(self._app.terminal_closed)  # type: ignore[attr-defined]

    def _resumed(self) -> None:
        # What was written meanwhile is lost: draw everything again.
        self._forget_drawn()
        self._tell(lambda: self._app.refresh(layout=True))

    def _forget_drawn(self) -> None:
        # The terminal may show something else by now.
        self._drawn = ""

    def _tell(self, callback: Callable[[], object]) -> None:
        # From a thread or a signal handler: a message that is put into the app's queue while it
        # begins to wait there wakes nobody, then or later. The loop may be closed already.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def _send_size(self) -> None:
        self._forget_drawn()
        self._app.post_message(events.Resize.from_dimensions(self._get_terminal_size(), None))

    def _get_terminal_size(self) -> tuple[int, int]:
        """The size of the terminal, whatever ``COLUMNS`` and ``LINES`` say."""
        return self._kernel_size() or (80, 24)

    def _kernel_size(self) -> tuple[int, int] | None:
        outputs = () if self._output is None else (self._output.fileno(),)
        for descriptor in (self.fileno, *outputs):
            try:
                width, height = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if width and height:
                return width, height
        return None

    def run_input_thread(self) -> None:
        """Read keys until exit, or until the terminal is gone."""
        reader = InputReader(lambda: XTermParser(self._debug))
        mouse_asked = 0.0
        try:
            while not self.exit_event.is_set():
                ready, _, _ = select.select([self.fileno], [], [], _POLL_SECONDS)
                data = os.read(self.fileno, 4096) if ready else b""
                if ready and not data:
                    # The other end is closed; a signal follows, if anybody sends one.
                    self._lost()
                    return
                for message in reader.messages(data):
                    self.process_message(message)
                if self._output is not None:
                    self._output.look_after_stall()
                if reader.saw_bad_bytes and time.monotonic() - mouse_asked > _MOUSE_SECONDS:
                    # The terminal may have fallen back to the old mouse coding.
                    mouse_asked = time.monotonic()
                    self._enable_mouse_support()
        except OSError:
            if not self.is_gone:
                raise
            self._lost()

    def _sigcont_application(self, *_: object) -> None:
        if self._must_signal_resume:
            super()._sigcont_application()
        elif not self.is_gone:
            # Stopped by another process: the shell may have written to the screen meanwhile.
            self._resumed()


class InputReader:
    """Turns the bytes of a terminal into messages; no byte can stop it.

    Bytes that are not UTF-8 become U+FFFD. A parser that fails is replaced. A bracketed paste
    whose end never arrives ends after ``PASTE_SECONDS``: it would swallow all later keys. What is
    pasted loses its control sequences (the colours of a log), which Textual takes for keys.

    Args:
        new_parser: Makes a parser.
        now: A monotonic clock, in seconds.
    """

    def __init__(
        self, new_parser: Callable[[], XTermParser], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._new_parser = new_parser
        self._now = now
        self._parser = new_parser()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail, self._held = "", ""
        self._pasting = False
        self._read_at = now()
        self.saw_bad_bytes = False
        """Whether the last bytes were not UTF-8."""

    def messages(self, data: bytes) -> Iterable[Message]:
        """The messages of some bytes; call it without bytes when none arrive for a while."""
        text = self._decoder.decode(data)
        self.saw_bad_bytes = "\ufffd" in text
        now = self._now()
        if text:
            self._read_at = now
            text = "".join(self._plain_pastes(text))
        elif self._pasting and now - self._read_at > PASTE_SECONDS:
            self._pasting = False
            self._held = ""
            text = _PASTE_END
        found: list[Message] = []
        try:
            if text:
                found.extend(self._parser.feed(text))
            found.extend(self._parser.tick())
        except Exception:
            # The generator inside has ended; what it had read of a sequence is lost.
            self._parser = self._new_parser()
        return found

    def _plain_pastes(self, text: str) -> Iterator[str]:
        """A text without the control sequences in what is pasted."""
        while text:
            if not self._pasting:
                # A mark may be cut in two, and the first half is with the parser.
                seen = self._tail + text
                start = seen.find(_PASTE_START)
                self._pasting = start >= 0
                end = start + len(_PASTE_START) - len(self._tail) if self._pasting else len(text)
                self._tail = "" if self._pasting else seen[-len(_PASTE_START) + 1 :]
                yield text[:end]
                text = text[end:]
                continue
            pasted, mark, text = (self._held + text).partition(_PASTE_END)
            self._pasting, self._held = not mark, ""
            if self._pasting and (cut := _CUT_SEQUENCE.search(pasted)):
                pasted, self._held = pasted[: cut.start()], cut.group()
            yield _SEQUENCE.sub("", pasted) + mark


class TerminalOutput:
    """The output file of a terminal; it never blocks for longer than ``STALL_SECONDS``.

    A terminal that does not read (a stopped emulator, a lost connection) would block the writing
    thread, then its queue, then the event loop. Output is dropped instead, until it reads again.
    Once the terminal is gone, all output is dropped.

    Args:
        file: The terminal.
        lost: Called in the writing thread when the terminal is gone.
        resumed: Called when the terminal reads again after a stall; by ``write`` in its thread.
    """

    def __init__(
        self, file: TextIO, lost: Callable[[], object], resumed: Callable[[], object]
    ) -> None:
        self._lost, self._resumed = lost, resumed
        self._is_lost = False
        self._is_stalled = False
        self._descriptor = _own_descriptor(file.fileno())

    def write(self, text: str) -> None:
        """Write a text, or drop it if the terminal is gone or does not read."""
        data = memoryview(text.encode("utf-8", "replace"))
        try:
            if self._is_stalled and not self._resume():
                return
            while data and not self._is_lost:
                if not self._wait():
                    self._is_stalled = True
                    return
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._descriptor, data) :]
        except OSError:
            self._is_lost = True
            self._lost()

    def flush(self) -> None:
        """Nothing is buffered here."""

    def look_after_stall(self) -> None:
        """Call ``resumed`` if the terminal reads again.

        From another thread, and often: what was dropped may have been the last to be written for
        a long time.
        """
        if self._is_stalled and not self._is_lost and self._wait(0):
            self._resumed()

    def fileno(self) -> int:
        """The file descriptor of the terminal."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def _wait(self, seconds: float = STALL_SECONDS) -> bool:
        return bool(select.select([], [self._descriptor], [], seconds)[1])

    def _resume(self) -> bool:
        if self._is_lost or not self._wait(0):
            return False
        self._is_stalled = False
        with contextlib.suppress(BlockingIOError):
            os.write(self._descriptor, _CANCEL)
        self._resumed()
        return True


def _own_descriptor(descriptor: int) -> int:
    """A non-blocking descriptor of the same terminal.

    The terminal is opened again, because the flags of an inherited descriptor belong to the
    shell, too. Where that is not allowed (another user's terminal), writes may block.
    """
    try:
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(os.ttyname(descriptor), flags)
    except OSError:
        return descriptor
