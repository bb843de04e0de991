"""Pictures of the views, of which one is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import real_app, screen_text, until
from tests.ui.labelled_job import labelled_job, rows_shown
from tui.core.analysis.views import View
from tui.paths import Paths
from tui.store.views import Views
from tui.ui.dialogs.rows.views import ViewsDialog


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_views(paths: Paths, snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    job = labelled_job(paths)
    views = Views(paths)
    views.save(
        "odd labels", View(where='@label:"not sure"', columns=("custom_id", "@label"), job=job)
    )
    views.save(
        "退款 [b]only[/b]",
        View(where="@label:退款 -review:right", sort=(("length", True),), job=job),
    )
    views.save("long German answers", View(where="in.lang:de length:>400", job="another"))
    app = real_app(paths)

    async def steps(pilot: Pilot[Any]) -> None:
        await rows_shown(pilot, app)
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, ViewsDialog))
        await until(pilot, lambda: "long German answers" in screen_text(app))
        await pilot.press("down")
        await until(pilot, lambda: "length" in screen_text(app))

    assert snap_compare(app, terminal_size=size, run_before=steps)
