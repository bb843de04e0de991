"""How much is asked of each account, and when next, in a few lines above the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import set_cell_size

from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.tones import Part

if TYPE_CHECKING:
    from tui.engine.engine import Engine

_NAME = 24


def traffic_parts(engine: Engine, now: float) -> list[Part]:
    """A line for each account that was asked, or is to be.

    Requests of the last minute are those of this minute and the one before. What goes to the
    sandbox inside this process is no traffic: ``-``.
    """
    polls: dict[str, float] = {}
    for batch in engine.history.unfinished():
        due = batch.next_poll_at
        if due is not None:
            polls[batch.account] = min(due, polls.get(batch.account, due))
    traffic = engine.accounts.traffic
    names = sorted(traffic.keys() | polls.keys())
    if not names:
        return [("No account was asked so far, and none is to be.", "muted")]
    head = f"{'Requests to':<{_NAME}}{'minute':>8}{'hour':>9}{'since start':>13}   next look"
    parts: list[Part] = [(head, "muted")]
    for name in names:
        sent = traffic.get(name)
        figures = [None] * 3 if sent is None else [sent.last_minute, sent.last_hour, sent.total]
        minute, hour, total = (formatting.number(figure) for figure in figures)
        parts += [
            (f"\n{set_cell_size(one_line(name, _NAME), _NAME - 1)} ", "strong"),
            (f"{minute:>8}{hour:>9}{total:>13}", ""),
            (f"   {_when(polls.get(name), now)}", "muted"),
        ]
    return parts


def _when(due: float | None, now: float) -> str:
    if due is None:
        return "-"
    return f"in {formatting.duration(due - now)}" if due > now else "now"
