"""Is a process of this machine still there?"""

from __future__ import annotations

import os


def is_running(pid: int) -> bool:
    """Does a process of this machine run, as far as can be told?"""
    if os.name == "nt":
        # There os.kill ends the process that it asks about.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It is there and belongs to somebody else.
        return True
    return True
