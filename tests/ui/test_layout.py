"""Where things are, measured at the usual sizes of terminals."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList
from textual.widgets._footer import FooterKey

from tests.ui.conftest import fake_app, real_app, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tests.ui.panes.composing import form_of, write_reviews
from tui.core.jobs import ErrorGroup
from tui.core.retry_rules import ErrorClass
from tui.paths import Paths
from tui.ui.widgets.compose_inputs import PlainTextArea
from tui.ui.widgets.error_groups import GROUP_COLUMNS, ErrorGroups
from tui.ui.widgets.table.model import fit_columns
from tui.ui.widgets.template_form import TemplateForm

SIZES = [(80, 24), (120, 36), (200, 60)]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("size", SIZES[1:], ids=["120x36", "200x60"])
async def test_the_form_of_a_template_fits(
    paths: Paths, tmp_path: Path, size: tuple[int, int]
) -> None:
    app = real_app(paths, open_file=write_reviews(tmp_path / "reviews.csv"))
    async with running(app, size) as pilot:
        step = await form_of(pilot, app)
        form = step.query_one(TemplateForm)
        await until(pilot, lambda: form.region.height and "header row" in screen_text(app))
        assert form.max_scroll_y == 0
        last = form.query_one("#form-table").region
        assert last.height == 1 and last.bottom <= form.region.bottom
        prompt = form.query_one("#field-user", PlainTextArea).region
        assert prompt.height >= 9
        assert form.query_one("#form-columns", OptionList).region.height == prompt.height


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
async def test_the_fields_above_a_source_end_at_one_line(
    paths: Paths, tmp_path: Path, size: tuple[int, int]
) -> None:
    app = real_app(paths, open_file=write_reviews(tmp_path / "reviews.csv"))
    async with running(app, size) as pilot:
        await form_of(pilot, app)
        pane = app.main.compose_pane
        names = ("source", "account", "window", "name")
        source, account, window, name = (
            pane.query_one(f"#compose-{each}").region for each in names
        )
        assert source.right == window.right == name.right
        assert source.x == account.x == name.x
        # A window is a short word, such as 24h; the account gets the room.
        assert window.width == 20 < account.width


def _groups(number: int) -> list[ErrorGroup]:
    return [
        ErrorGroup(
            id=index, code=f"code_{index}", message="The model does not exist", count=9 - index,
            share=0.1, example_custom_id="r",
            kind=ErrorClass.REQUEST, retryable=False, http_status=400, key=f"g{index}",
        )
        for index in range(number)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("size", "beside", "focused"), [((80, 24), 1, 5), ((120, 36), 3, 5), ((200, 60), 5, 5)]
)
async def test_error_groups_leave_room_for_the_rows(
    engine: FakeEngine, size: tuple[int, int], beside: int, focused: int
) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, size) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("enter")
        groups = app.main.results.query_one(ErrorGroups)
        await until(pilot, lambda: groups.row_count)
        groups.show(_groups(8))
        await until(pilot, lambda: groups.region.height == beside)
        groups.focus()
        await until(pilot, lambda: groups.region.height == focused)


@pytest.mark.parametrize(("width", "least"), [(75, 14), (116, 38), (190, 38)])
def test_the_message_of_an_error_group_can_be_read(width: int, least: int) -> None:
    widths = {column.key: cells for _, column, cells in fit_columns(GROUP_COLUMNS, width, 2)}
    assert widths["message"] >= least
    assert ("advice" in widths) == (width >= 140)


async def test_keys_that_need_a_row_are_offered_with_rows_only(engine: FakeEngine) -> None:
    app = fake_app(engine)

    def offered() -> set[str]:
        return {key.description for key in app.screen.query(FooterKey) if key.display}

    async with running(app, (120, 36)) as pilot:
        await until(pilot, lambda: app.session.ready.is_set())
        app.main.batches.jobs_table.focus()
        await until(pilot, lambda: "Help" in offered())
        assert not offered() & {"Open", "Mark", "Filter", "Retry"}
        engine.history.add(a_job())
        app.main.batches.add_job(a_job().id)
        await until(pilot, lambda: offered() >= {"Open", "Mark"})
