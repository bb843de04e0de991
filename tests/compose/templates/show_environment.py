"""A module for ``LimitedProcess``: it returns its environment, or never ends."""

from __future__ import annotations

import os


def answer(request: object) -> bytes:
    """Return the environment; ``spin`` never ends."""
    while request == "spin":
        pass
    return repr(dict(os.environ)).encode()
