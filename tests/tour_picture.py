"""Makes ``screenshots/tour.svg``, an animated picture, from the real app on the demo history.

Run it from the top of the repository: ``python -m tests.tour_picture``. The picture needs no
script: its frames follow each other by CSS, and a viewer without animation shows the first.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from html import escape
from pathlib import Path

import msgspec

from tests.screenshots import FOLDER, JOB, LABELS, Shooter, open_shop
from tui.config.settings import load_config
from tui.engine.demo import seed_demo
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp

SIZE = (112, 32)
SECONDS = 4.0
"""How long a frame stays."""

CAPTION = 46
"""Units of height below the terminal, for a line that says what is seen."""


class Tour:
    """Frames of the running app, each with a line below."""

    def __init__(self, shooter: Shooter) -> None:
        self.shooter = shooter
        self.frames: list[tuple[str, str]] = []

    async def frame(self, caption: str) -> None:
        """Keep what is on the screen."""
        await self.shooter.pilot.pause(0.2)
        self.frames.append((self.shooter.app.export_screenshot(title="batchdeck"), caption))
        print(caption)

    def svg(self) -> str:
        """All frames in one picture."""
        width, height = _size_of(self.frames[0][0])
        whole = SECONDS * len(self.frames)
        share = 100 / len(self.frames)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + CAPTION}">',
            "<style>"
            f".frame {{ opacity: 0; animation: show {whole:g}s infinite step-end; }}"
            f"@keyframes show {{ 0% {{ opacity: 1 }} {share:.3f}% {{ opacity: 0 }} }}"
            ".first { opacity: 1 }"
            ".caption { font: 22px sans-serif; fill: #8a97a8; text-anchor: middle }"
            "@media (prefers-reduced-motion: reduce) {"
            " .frame { animation: none } }"
            "</style>",
        ]
        for number, (frame, caption) in enumerate(self.frames):
            first = " first" if number == 0 else ""
            parts.append(
                f'<g class="frame{first}" style="animation-delay:{number * SECONDS:g}s">'
                f'<svg width="{width}" height="{height}"{frame[frame.index("<svg") + 4 :]}'
                f'<text class="caption" x="{width / 2}" y="{height + 30}">{escape(caption)}</text>'
                "</g>"
            )
        parts.append("</svg>")
        return "\n".join(parts)


def _size_of(svg: str) -> tuple[float, float]:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found is not None
    return float(found[1]), float(found[2])


async def walk(tour: Tour) -> None:
    """From a table to a batch, and from a failure to its retry."""
    shooter, app = tour.shooter, tour.shooter.app
    main = app.main
    board = main.batches.board
    assert board is not None
    await shooter.until(lambda: any(view.done for view in board.live()))
    await tour.frame("Every job of every provider: progress, failures, time left, cost")
    await open_shop(shooter)
    await tour.frame("A table and a template: rows as they will be sent, tokens, cost")
    await shooter.press("t")
    await shooter.until(lambda: main.query("PreviewPanel.-answered"))
    await tour.frame("t sends one row to the provider, before you pay for the rest")
    await shooter.press("2")
    main.open_job(board.ids(JOB)[0])
    await shooter.until(lambda: main.results.rows_table.row_count > 1)
    await shooter.press("e", "j", "j")
    await shooter.until(lambda: main.results.view.detail is not None)
    await tour.frame("e shows the failed rows, grouped by cause, each with a suggested fix")
    await shooter.press("enter")
    await shooter.until(lambda: main.results.is_reading)
    await tour.frame("The request beside the error, in the provider's own words")
    await shooter.press("escape", "R")
    await shooter.until(lambda: len(app.screen_stack) > 1)
    await shooter.press("tab", "x", "2")
    await shooter.pilot.pause(1.5)
    await tour.frame("R edits and retries them: a diff of three rows first")
    await shooter.press("escape")
    await shooter.until(lambda: len(app.screen_stack) == 1)
    await shooter.press("u")
    await shooter.until(lambda: len(app.screen_stack) > 1)
    await shooter.pilot.pause(1.5)
    await tour.frame("u opens the summary: outcomes, tokens, lengths, pace")
    await shooter.press("escape")
    await shooter.until(lambda: len(app.screen_stack) == 1)
    await shooter.open_job(LABELS)
    await shooter.press("f")
    await shooter.until(lambda: len(app.screen_stack) > 1)
    await shooter.pilot.pause(1.5)
    await tour.frame("f counts the values of every field of the answers, to filter by")


async def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory(prefix="batchdeck-tour-") as folder:
        paths = Paths.find(Path(folder) / "home")
        await asyncio.to_thread(lambda: asyncio.run(seed_demo(paths)))
        config = msgspec.structs.replace(load_config(paths), theme="batchdeck-dark")

        async def open_engine() -> Engine:
            return await Engine.open(paths, config)

        app = BatchdeckApp(paths, config, open_engine)
        async with app.run_test(size=SIZE) as pilot:
            tour = Tour(Shooter(app, pilot))
            await tour.shooter.until(lambda: app.main.batches.job is not None)
            await walk(tour)
            assert app.engine is not None
            await app.engine.close()
    path = FOLDER / "tour.svg"
    await asyncio.to_thread(path.write_text, tour.svg(), "utf-8")
    print(f"screenshots/tour.svg, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    asyncio.run(main())
