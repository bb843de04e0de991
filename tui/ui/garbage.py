"""Looking for garbage without a pause that a person feels."""

from __future__ import annotations

import gc


def keep_what_is_there() -> None:
    """Leave out of every later search what lives as long as the program: modules and panes.

    A full search walks through all objects, for 40 ms with the modules in, and comes between a
    key and the screen. To be called once, when the program has started.
    """
    gc.freeze()
    gc.enable()
