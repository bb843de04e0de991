"""The strip below the list of jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Static

from tests.ui.fakes import NOW, a_job
from tui.core.jobs import ErrorGroup, TimelineEntry
from tui.core.retry_rules import ErrorClass
from tui.ui.models.job_list import JobView
from tui.ui.widgets.job_details import JobStrip


def _group(kind: ErrorClass, count: int) -> ErrorGroup:
    return ErrorGroup(
        id=count,
        http_status=None,
        code=None,
        message=f"{kind.value} rows",
        count=count,
        retryable=None,
        kind=kind,
        example_custom_id="r",
    )


class _Strip(App[int]):
    """An app that has only a strip."""

    def compose(self) -> ComposeResult:
        yield JobStrip()


async def test_rows_have_the_same_sign_in_the_groups_as_among_the_counts() -> None:
    groups = [_group(kind, 7) for kind in (ErrorClass.REFUSED, ErrorClass.TRUNCATED)]
    groups.append(_group(ErrorClass.TRANSIENT, 7))
    app = _Strip()
    async with app.run_test(size=(120, 20)):
        app.query_one(JobStrip).show(JobView(job=a_job()), groups, [], NOW)
        shown = str(app.query_one("#strip-story", Static).content)
    assert [line.split(" ", 1)[0] for line in shown.splitlines()[:3]] == ["⊗", "◐", "✗"]


async def test_only_the_side_that_has_changed_is_drawn() -> None:
    app = _Strip()
    async with app.run_test(size=(120, 20)):
        strip = app.query_one(JobStrip)
        drawn: list[str] = []

        def noted(side: Static) -> Callable[..., None]:
            update = side.update

            def note(text: Content | str, **options: Any) -> None:
                drawn.append(side.id or "")
                update(text, **options)

            return note

        for side in strip.query(Static):
            side.update = noted(side)  # type: ignore[method-assign]
        view = JobView(job=a_job())
        story = [TimelineEntry(at=NOW, batch_id="", what="imported")]
        strip.show(view, [], story, NOW)
        assert drawn == ["strip-facts", "strip-story"]
        strip.show(view, [], story, NOW)
        assert len(drawn) == 2
        strip.show(view, [], [*story, TimelineEntry(at=NOW, batch_id="", what="sent")], NOW)
        assert drawn[2:] == ["strip-story"]
