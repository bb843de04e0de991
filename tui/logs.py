"""Logging to a private, size-limited file without API keys."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from tui.paths import Paths, open_private, private_folder

LOGGER = logging.getLogger("batchdeck")
"""Logger used by all of Batchdeck."""

_BYTES = 1 << 20
_KEPT = 2


def _rotating_file(path: Path) -> logging.Handler:
    """A rotating log file whose write errors (a full disk) do not print over the screen."""
    # Loading it takes a while, and short commands write no log.
    from logging.handlers import RotatingFileHandler

    class QuietHandler(RotatingFileHandler):
        def handleError(self, record: logging.LogRecord) -> None:
            """Drop the record."""

    return QuietHandler(path, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True)


def start_logging(paths: Paths) -> logging.Logger:
    """Log to ``batchdeck.log``; a second call for the same file has no effect."""
    LOGGER.propagate = False
    LOGGER.setLevel(logging.INFO)
    wanted = os.fspath(paths.log_file)
    for handler in list(LOGGER.handlers):
        if getattr(handler, "baseFilename", None) == wanted:
            return LOGGER
        LOGGER.removeHandler(handler)
        handler.close()
    private_folder(paths.logs)
    os.close(open_private(paths.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    handler = _rotating_file(paths.log_file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOGGER.addHandler(handler)
    return LOGGER
