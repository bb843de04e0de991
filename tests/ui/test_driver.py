"""The driver when nobody reads what is written."""

from __future__ import annotations

import os
import pty
import threading

from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from tui.ui.driver import _LastingFile


def test_writing_to_a_window_that_is_closed_holds_nobody_up() -> None:
    master, slave = pty.openpty()
    os.close(master)
    lost = threading.Event()
    with os.fdopen(slave, "w") as gone:
        writer = WriterThread(_LastingFile(gone, lost.set))  # type: ignore[arg-type]
        writer.start()

        def write_much() -> None:
            for _ in range(3 * MAX_QUEUED_WRITES):
                writer.write("x" * 10_000)
            writer.stop()

        writing = threading.Thread(target=write_much, daemon=True)
        writing.start()
        writing.join(20)
        assert not writing.is_alive()
        assert lost.is_set()
