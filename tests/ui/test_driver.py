"""The driver when nobody reads what is written."""

from __future__ import annotations

import threading

from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from tui.ui.driver import _LastingFile


class Gone:
    """A terminal whose window is closed."""

    def __init__(self) -> None:
        self.asked = 0

    def write(self, text: str) -> None:
        self.asked += 1
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        raise OSError(5, "Input/output error")

    def fileno(self) -> int:
        return 2


def test_writing_to_a_window_that_is_closed_holds_nobody_up() -> None:
    gone = Gone()
    writer = WriterThread(_LastingFile(gone))  # type: ignore[arg-type]
    writer.start()

    def write_much() -> None:
        for _ in range(3 * MAX_QUEUED_WRITES):
            writer.write("x")
        writer.stop()

    writing = threading.Thread(target=write_much, daemon=True)
    writing.start()
    writing.join(20)
    assert not writing.is_alive()
    assert gone.asked == 3 * MAX_QUEUED_WRITES
