"""The virtual table: what it reads, where its cursor stays, what it marks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest
from textual.app import App, ComposeResult

from tui.ui.widgets.table.model import PAGE_ROWS, PAGES_KEPT, Cells, Column, Marks, fit_columns
from tui.ui.widgets.table.painter import column_at
from tui.ui.widgets.table.table import VirtualTable

COLUMNS = (
    Column("id", "Id", 8, sortable=True),
    Column("text", "Text", 10, flex=1),
    Column("count", "Count", 6, align="right", sortable=True, drop=1),
)


class ListSource:
    """Rows by their ids, and a note of what was read."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = ids
        self.read: list[tuple[int, int]] = []

    def row_count(self) -> int:
        return len(self.ids)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        self.read.append((start, stop))
        return [(f"r{n}", (("text ", ""), (str(n), "bad")), f"{n:,}") for n in self.ids[start:stop]]

    def row_id(self, index: int) -> Hashable:
        return self.ids[index]

    def index_of(self, row_id: Hashable) -> int | None:
        return self.ids.index(row_id) if row_id in self.ids else None


class TableApp(App[None]):
    """A table alone."""

    CSS = "VirtualTable > .virtual-table--cursor { background: $accent; }"

    def __init__(self) -> None:
        super().__init__()
        self.table = VirtualTable(COLUMNS, markable=True)
        self.opened: list[Hashable] = []
        self.sorts: list[str] = []
        self.moves: list[Hashable | None] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_virtual_table_opened(self, event: VirtualTable.Opened) -> None:
        self.opened.append(event.row_id)

    def on_virtual_table_sort_requested(self, event: VirtualTable.SortRequested) -> None:
        self.sorts.append(event.column)

    def on_table_view_cursor_moved(self, event: VirtualTable.CursorMoved) -> None:
        self.moves.append(event.row_id)


def lines(table: VirtualTable) -> list[str]:
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


async def test_a_million_rows_are_read_a_page_at_a_time() -> None:
    app = TableApp()
    source = ListSource(range(1_000_000))
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(source)
        await pilot.pause()
        assert source.read == [(0, PAGE_ROWS)]
        await pilot.press("G")
        await pilot.pause()
        assert app.table.cursor == 999_999
        assert "r999999" in lines(app.table)[-1]
        assert len(source.read) == 2


async def test_only_so_many_pages_are_kept() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(ListSource(range(1_000_000)))
        for page in range(PAGES_KEPT * 2):
            app.table.move_to(page * PAGE_ROWS)
            await pilot.pause()
        assert len(app.table._pages._pages) <= PAGES_KEPT


async def test_the_cursor_stays_on_its_row_when_rows_come_before_it() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.set_source(ListSource(range(100, 200)))
        app.table.move_to(50)
        await pilot.pause()
        place = app.table.cursor - app.table.scroll_offset.y
        app.table.set_source(ListSource(range(0, 200)))
        await pilot.pause()
        assert app.table.cursor_id == 150
        assert app.table.cursor - app.table.scroll_offset.y == place


async def test_the_cursor_stays_near_when_its_row_goes() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.set_source(ListSource([1, 2, 3, 4]))
        app.table.move_to(3)
        app.table.set_source(ListSource([1, 2]))
        await pilot.pause()
        assert app.table.cursor_id == 2
        app.table.set_source(ListSource([]))
        await pilot.pause()
        assert app.table.cursor_id is None
        assert app.moves[-1] is None


@pytest.mark.parametrize(
    ("keys", "index"),
    [
        (["j", "j", "k"], 1),
        (["down", "up", "up"], 0),
        (["G"], 99),
        (["end", "home"], 0),
        (["ctrl+d"], 5),
        (["pagedown", "pageup"], 0),
        (["G", "g"], 0),
    ],
)
async def test_keys_move_the_cursor(keys: list[str], index: int) -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.set_source(ListSource(range(100)))
        await pilot.press(*keys)
        assert app.table.cursor == index


async def test_the_mouse_moves_opens_sorts_and_marks() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.set_source(ListSource(range(100)))
        await pilot.pause()
        await pilot.click(app.table, offset=(10, 4))
        assert app.table.cursor == 3
        await pilot.click(app.table, offset=(10, 4), times=2)
        assert app.opened[-1] == 3
        await pilot.click(app.table, offset=(4, 0))
        assert app.sorts == ["id"]
        await pilot.click(app.table, offset=(1, 6))
        assert 5 in app.table.marks


async def test_sorting_goes_by_the_chosen_column() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.set_source(ListSource(range(100)))
        await pilot.press("right", "s")
        assert app.sorts == ["count"]
        app.table.show_sort("count", descending=True)
        await pilot.pause()
        assert "Count↓" in lines(app.table)[0]


async def test_marks_one_range_all_and_inverted() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.set_source(ListSource(range(100)))
        await pilot.press("space")
        assert (app.table.marked, app.table.cursor) == (1, 1)
        await pilot.press("j", "j", "M")
        assert app.table.marked == 4
        await pilot.press("I")
        assert app.table.marked == 96
        await pilot.press("A")
        assert app.table.marked == 100
        await pilot.press("A")
        assert app.table.marked == 0


async def test_brackets_and_escapes_are_drawn_as_they_are() -> None:
    class Hostile(ListSource):
        def fetch(self, start: int, stop: int) -> Sequence[Cells]:
            return [("[/", "[red]x[/] [b", "1")]

    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.set_source(Hostile([1]))
        await pilot.pause()
        assert "[/" in lines(app.table)[1]
        assert "[red]x[/] [b" in lines(app.table)[1]


async def test_wide_characters_are_cut_at_cells() -> None:
    class Wide(ListSource):
        def fetch(self, start: int, stop: int) -> Sequence[Cells]:
            return [("日本語日本語日本語", "🦄" * 40, "1")]

    app = TableApp()
    async with app.run_test(size=(40, 5)) as pilot:
        app.table.set_source(Wide([1]))
        await pilot.pause()
        strip = app.table.render_line(1)
        assert strip.cell_length == 40
        assert "…" in strip.text


def test_columns_are_dropped_by_their_number() -> None:
    wide = fit_columns(COLUMNS, 40, 2)
    assert [column.key for _, column, _ in wide] == ["id", "text", "count"]
    assert sum(cells for _, _, cells in wide) + 4 == 40
    narrow = fit_columns(COLUMNS, 22, 2)
    assert [column.key for _, column, _ in narrow] == ["id", "text"]


def test_a_place_on_the_screen_belongs_to_a_column() -> None:
    layout = fit_columns(COLUMNS, 40, 2)
    first, last = column_at(layout, 3), column_at(layout, 39)
    assert first is not None and first.key == "id"
    assert last is not None and last.key == "count"
    assert column_at(layout, 0) is None


def test_marks_of_a_million_rows_take_no_room() -> None:
    marks = Marks()
    marks.invert()
    assert marks.count(1_000_000) == 1_000_000
    marks.toggle(5)
    assert 5 not in marks
    assert 6 in marks
    assert marks.count(1_000_000) == 999_999
    marks.add([5])
    assert marks.count(1_000_000) == 1_000_000
