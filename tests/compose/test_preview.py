from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from tests.compose.rows import chat
from tui.compose import preview as preview_module
from tui.compose.checks.scan import scan_lines
from tui.compose.estimate import estimate_of
from tui.compose.preview import Previewer, RowPreview
from tui.compose.prices import PriceSource
from tui.compose.sources.base import Source
from tui.compose.templates.model import Template, with_overrides
from tui.errors import InputError

PROMPT = Template(model="m", user="{text}", id="id")


def source_of(rows: list[dict[str, Any]]) -> Source:
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Source("rows", "table", columns, lambda: iter(rows), count=len(rows))


def previewed(
    source: Source,
    template: Template | None,
    *,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[RowPreview, ...]:
    previewer = Previewer(source, seed=seed)
    preview = previewer.update(
        template, lambda lines: estimate_of(scan_lines(lines), PriceSource()), settings=settings
    )
    return preview.rows


def test_a_preview_shows_three_rows() -> None:
    rows = [{"id": f"r{n}", "text": "x" * (50 if n == 6 else n)} for n in range(20)]
    shown = previewed(source_of(rows), PROMPT, seed=3)
    assert [p.why for p in shown] == ["first", "random", "longest"]
    assert (shown[0].number, shown[2].number) == (1, 7)
    assert shown[2].custom_id == "r6" and shown[2].row == rows[6]
    assert shown[2].request["body"]["messages"][0]["content"] == "x" * 50
    assert shown[1].number not in (1, 7)
    drawn = {previewed(source_of(rows), PROMPT, seed=seed)[1].number for seed in range(60)}
    assert len(drawn) > 10 and 1 not in drawn


def test_previews_of_small_sources() -> None:
    rows = [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}]
    assert [p.why for p in previewed(source_of(rows[:1]), PROMPT)] == ["first"]
    assert [p.number for p in previewed(source_of(rows), PROMPT)] == [1, 2]
    with pytest.raises(InputError, match="no rows"):
        previewed(source_of([]), PROMPT)
    bad = [*rows, {"id": "c", "txt": "long " * 9}]
    with pytest.raises(InputError, match="row 3: unknown column 'text'"):
        previewed(source_of(bad), with_overrides(PROMPT, id="{id}"), seed=1)


def test_a_preview_leaves_the_rows_alone() -> None:
    row = chat("a")
    source = Source("rows", "requests", (), lambda: iter([row]))
    (shown,) = previewed(source, None, settings={"messages.0.content": "changed"})
    assert shown.request["body"]["messages"][0]["content"] == "changed"
    assert row == chat("a")


def test_a_source_without_an_end_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_module, "MAX_COUNTED_ROWS", 1000)
    monkeypatch.setattr(preview_module, "MAX_SCANNED_ROWS", 100)
    read = 0

    def rows() -> Any:
        nonlocal read
        for read in itertools.count(1):
            yield {"id": str(read), "text": "x"}

    previewer = Previewer(Source("view", "table", ("id", "text"), rows))
    previewer.load(whole=True)
    assert 1000 <= read < 1200 and previewer.count is None and not previewer.is_whole
    preview = previewer.update(PROMPT, lambda lines: estimate_of(scan_lines(lines), PriceSource()))
    assert "1,000 were read" in preview.doubts[-1]
