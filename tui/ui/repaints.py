"""What Textual draws again although nothing of it has changed; a frame is 25 KB at 120x36.

Written for Textual 8.2: ``tests/ui/test_repaints.py`` says which version of a replaced method it
was compared with.
"""

from __future__ import annotations

import functools

from textual.screen import Screen

_compositor_refresh = Screen._compositor_refresh


@functools.cache
def install() -> None:
    """Replace what draws too much, for all screens."""
    # The widgets that get and lose the focus draw themselves; the screen behind them is the same.
    Screen.focused._repaint = False
    Screen._compositor_refresh = _refresh_once  # type: ignore[method-assign,assignment]


def _refresh_once(screen: Screen[object]) -> None:
    """Draw what has changed on a screen; one below a dialog passes it on, and forgets it.

    Textual has the lower screen remember it as well: once all of it was to be drawn, which is so
    whenever a dialog opens, all of it is drawn at each later change.
    """
    _compositor_refresh(screen)
    if screen is not screen.app.screen:
        screen._repaint_required = False
        screen._exchange_repaint_regions()
