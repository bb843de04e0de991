"""The screen of costs: groups, months, totals, what is not known, and the budget."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import opened as opened  # a fixture
from tests.engine.costs.test_billing import done
from tests.engine.rows import chats
from tests.ui.conftest import real_app, running, screen_text, until
from tui.config.settings import BudgetConfig, PriceConfig
from tui.core.formatting import money
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.dialogs.choose import ChooseDialog
from tui.ui.screens.costs import _COLUMNS, CostsScreen, _align
from tui.ui.text.tones import Part

PRICES = {"[b]mini[/b]": PriceConfig(input=1000, output=10_000, batch_discount=0.5)}


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_costs_by_month_and_model(
    opened: Callable[..., AbstractAsyncContextManager[Engine]],
    paths: Paths,
    tmp_path: Path,
    size: tuple[int, int],
) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=PRICES) as engine:
            first = chats(tmp_path / "a.jsonl", 9, model="[b]mini[/b]", max_tokens=90)
            billed = (await done(engine, first)).cost.actual
            await done(engine, chats(tmp_path / "b.jsonl", 2, model="made-up-1"))
    assert billed is not None
    app = real_app(paths)
    async with running(app, size) as pilot:
        await until(pilot, lambda: " b " in screen_text(app))
        assert app.engine is not None
        app.engine.costs.budgets.config = BudgetConfig(per_month=500)
        await pilot.press("dollar_sign")
        await until(pilot, lambda: isinstance(app.screen, CostsScreen))
        await until(pilot, lambda: "left of $500.00 this month" in screen_text(app))
        await until(pilot, lambda: f"{money(billed)} " in screen_text(app))
        assert "Not known, and not counted: the cost of 1 job" in screen_text(app)
        assert "2 jobs, 11 requests sent" in screen_text(app)
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        await pilot.press("down", "down", "down", "enter")
        # Text of the user's is shown as it is.
        await until(pilot, lambda: "[b]mini[/b]" in screen_text(app))
        await until(pilot, lambda: "total" in screen_text(app))
        await pilot.press("right")
        await until(pilot, lambda: f"{money(billed)} billed for the batches" in screen_text(app))
        await pilot.press("right", "right", "right")
        await until(pilot, lambda: f"{money(billed)} saved by the batch" in screen_text(app))
        await pilot.press("m")
        await until(pilot, lambda: " · [b]mini[/b]" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CostsScreen))


async def test_nothing_was_spent(paths: Paths) -> None:
    app = real_app(paths)
    async with running(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.engine is not None)
        await pilot.press("2", "dollar_sign")
        await until(pilot, lambda: "Nothing was spent" in screen_text(app))


def test_digits_stand_below_each_other() -> None:
    rows: list[list[Part]] = [
        [(name, ""), *([(amount, "")] * len(_COLUMNS))]
        for name, amount in (("a", "$1.00*"), ("b", "$2.00"), ("c", ""))
    ]
    _align(rows)
    assert [row[1][0] for row in rows] == ["$1.00*", "$2.00 ", " "]
