"""ScaleDown's three forms on the sandbox: from the packaged samples to typed results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.ui.conftest import BatchdeckPilot, real_app, running, screen_text, until
from tests.ui.panes.composing import asked, kind_chosen
from tui.core.query import RowFilter
from tui.core.rows import RowLine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.panes.compose.template import TemplateStep
from tui.ui.widgets.compose_inputs import PlainTextArea
from tui.ui.widgets.template_form import PairRow, PairRows

FORMS: list[tuple[str, int, str, dict[str, str], str]] = [
    ("summarize", 1, "{text}", {}, "Summary"),
    ("extract", 1, "{text}", {"who": "a person", "what": "a thing"}, "who"),
    ("classify", 2, "{name}: {category}, {material}", {"lamp": "A lamp?", "oak": "Oak?"}, "lamp"),
]


pytestmark = pytest.mark.usefixtures("at_once")


async def form(app: BatchdeckApp, pilot: BatchdeckPilot, down: int, kind: str) -> TemplateStep:
    """Open a sample, and choose a kind of request for it."""
    await pilot.press("1")
    await until(pilot, lambda: "Five documents" in screen_text(app))
    await pilot.press(*["down"] * down, "enter")
    pane = app.main.compose_pane
    await until(pilot, lambda: isinstance(pane.step, TemplateStep) and pane.step.sketch)
    step = pane.step
    assert isinstance(step, TemplateStep)
    await kind_chosen(pilot, step, kind)
    return step


def grown(rows: PairRows, count: int) -> Callable[[], bool]:
    """Is there an empty row behind those that are filled in?"""
    return lambda: len(rows.query(PairRow)) == count


async def fill(pilot: BatchdeckPilot, step: TemplateStep, text: str, pairs: dict[str, str]) -> None:
    """Write the text, and the labels or entities with their meanings."""
    step.query_one("#field-user", PlainTextArea).text = text
    rows = next(
        (rows for rows in step.query(PairRows) if rows.parent and rows.parent.display), None
    )
    if pairs:
        assert rows is not None
        # How they are typed, test_compose_flow shows.
        for count, (name, what) in enumerate(pairs.items(), 1):
            row = rows.query(PairRow).last()
            row.name_field.value, row.what_field.value = name, what
            await until(pilot, grown(rows, count + 1))
    # The preview of the kind before may still stand there.
    await until(
        pilot,
        lambda: step.sketch and step.sketch.rows[0].request["body"]["model"] == step.text.kind,
    )
    await until(pilot, lambda: "document" not in step.sketch.rows[0].request["body"])  # type: ignore[union-attr]


@pytest.mark.parametrize(("kind", "down", "text", "pairs", "word"), FORMS)
async def test_a_form_gives_typed_results_of_a_sample(
    paths: Paths, kind: str, down: int, text: str, pairs: dict[str, str], word: str
) -> None:
    app = real_app(paths)
    async with running(app, (120, 40)) as pilot:
        step = await form(app, pilot, down, kind)
        await fill(pilot, step, text, pairs)
        await pilot.press("f5")
        await until(pilot, lambda: "succeeded" in screen_text(app))
        await asked(pilot, app, "f8")
        await pilot.press("y")
        count = 5 if down == 1 else 10
        jobs = app.main.batches
        await until(pilot, lambda: jobs.job and jobs.job.counts.succeeded == count)
        assert app.engine is not None and jobs.job is not None
        history = app.engine.history
        lines = list(history.rows.lines(jobs.job.id, history.rows.select(jobs.job.id, RowFilter())))
        for line in lines:
            check(kind, line, pairs)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.pane == "results")
        await pilot.press("enter")
        await until(pilot, lambda: word in screen_text(app))


def check(kind: str, line: RowLine, pairs: dict[str, str]) -> None:
    """Is the answer the typed data of its kind?"""
    data: dict[str, Any] = line.data
    assert line.outcome == "succeeded"
    if kind == "summarize":
        assert data["summary"].startswith("Simulated answer") and data["input_chars"] > 100
    elif kind == "extract":
        assert [entity["type"] for entity in data["entities"]] == list(pairs)
    else:
        assert data["top_label"] in pairs and set(data["scores"]) == set(pairs)
        assert sum(data["scores"].values()) == pytest.approx(1)
