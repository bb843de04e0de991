"""Makes the pictures in ``screenshots/`` from the real app, the real engine and the demo history.

Run it from the top of the repository: ``python -m tests.screenshots``. It needs cairosvg
and the font DejaVu Sans Mono.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import cairosvg
import msgspec
from textual.pilot import Pilot

from tui.compose.samples import PRODUCTS
from tui.config.settings import Config, load_config
from tui.engine.demo import seed_demo
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.panes.compose.template import TemplateStep
from tui.ui.screens.facets import FacetScreen

FOLDER = Path(__file__).parent.parent / "screenshots"
JOB = "reviews-week-46"
LABELS = "ticket-routing"

Steps = Callable[["Shooter"], Awaitable[None]]


class Shooter:
    """The running app, and a way to take a picture of it."""

    def __init__(self, app: BatchdeckApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def until(self, ready: Callable[[], object]) -> None:
        """Let the app run until something is so."""
        async with asyncio.timeout(60):
            while not ready():
                await self.pilot.pause(0.02)
        await self.pilot.pause(0.1)

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause(0.1)

    async def open_job(self, name: str = JOB) -> None:
        """Show the results of a job; of the one that the pictures are about by default."""
        self.app.main.open_job(self.app.session.engine.history.jobs.find(name).id)
        await self.until(lambda: self.app.main.results.rows_table.row_count > 1)

    async def take(self, name: str) -> None:
        """Write a picture, once the keys at the bottom are those of the pane."""
        stack = self.app.screen_stack
        await self.until(lambda: any(screen.query("FooterKey") for screen in stack))
        svg = self.app.export_screenshot(title="batchdeck")
        FOLDER.mkdir(exist_ok=True)
        await asyncio.to_thread(_paint, svg, FOLDER / f"{name}.png")
        print(f"screenshots/{name}.png")


async def batches(shooter: Shooter) -> None:
    """The list, with a job that runs."""
    board = shooter.app.main.batches.board
    assert board is not None
    await shooter.until(lambda: any(view.done for view in board.live()))
    await shooter.press("j")
    await shooter.take("batches")


async def results(shooter: Shooter) -> None:
    """Errors only, beside the list."""
    await shooter.open_job()
    await shooter.press("e", "j", "j")
    await shooter.until(lambda: shooter.app.main.results.view.detail is not None)
    await shooter.take("results")


async def row(shooter: Shooter) -> None:
    """One row in 80 columns."""
    await shooter.open_job()
    await shooter.press("e", "enter")
    await shooter.until(lambda: shooter.app.main.results.is_reading)
    await shooter.take("row")


async def facets(shooter: Shooter) -> None:
    """The values of a field of the answers."""
    await shooter.open_job(LABELS)
    await shooter.press("f")
    await shooter.until(lambda: isinstance(shooter.app.screen, FacetScreen))
    screen = shooter.app.screen
    assert isinstance(screen, FacetScreen)
    await shooter.until(lambda: screen.facet is not None and not screen.is_counting)
    await shooter.take("facets")


async def retry(shooter: Shooter) -> None:
    """The question before rows are sent again."""
    await shooter.open_job()
    await shooter.press("r")
    await shooter.until(lambda: len(shooter.app.screen_stack) > 1)
    await shooter.take("retry")


async def compose(shooter: Shooter) -> None:
    """A file with problems."""
    file = Path(tempfile.gettempdir()) / "reviews.jsonl"
    await asyncio.to_thread(file.write_bytes, _problems())
    await shooter.press("1")
    pane = shooter.app.main.compose_pane
    pane.open_file(file)
    await shooter.until(lambda: pane.step is not None and pane.step.has_class("-problems"))
    await shooter.take("compose")
    await asyncio.to_thread(file.unlink)


async def template(shooter: Shooter) -> None:
    """A table, its template, the preview, and the answer to a row that was tried."""
    await open_shop(shooter)
    await shooter.press("t")
    await shooter.until(lambda: shooter.app.main.query("PreviewPanel.-answered"))
    await shooter.take("template")


async def open_shop(shooter: Shooter) -> None:
    """Show the sample of products with its template, from a place that pictures may show."""
    table = Path(tempfile.gettempdir()) / "shop" / PRODUCTS.name
    table.parent.mkdir(exist_ok=True)
    table.write_bytes(PRODUCTS.read_bytes())
    pane = shooter.app.main.compose_pane

    def is_drawn() -> object:
        step = pane.step
        return step is not before and isinstance(step, TemplateStep) and step.sketch

    await shooter.press("1")
    await shooter.until(lambda: shooter.app.main.query("#start-list"))
    # The form keeps what was in it before: the template that comes with the sample.
    for source in (PRODUCTS, table):
        before = pane.step
        pane.open_source(str(source), "sandbox")
        await shooter.until(is_drawn)


def _paint(svg: str, path: Path) -> None:
    # Columns are 12.2 wide; DejaVu Sans Mono advances by 0.602 of its size.
    svg = svg.replace("Fira Code", "DejaVu Sans Mono").replace(
        "font-size: 20px", "font-size: 20.27px"
    )
    cairosvg.svg2png(bytestring=svg.encode(), write_to=str(path))


def _problems() -> bytes:
    lines = []
    for number in range(1200):
        content = f"Review {number}: arrived late, but works."
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": content}]}
        request = {"custom_id": f"review-{number}", "method": "POST", "body": body}
        lines.append(json.dumps({**request, "url": "/v1/chat/completions"}))
    lines[41] = lines[41].replace("review-41", "review-7")
    lines[99] = lines[99][:-2]
    lines[640] = lines[640].replace('"messages"', '"mesages"')
    lines[900] = ""
    return "\n".join(lines).encode()


PICTURES: dict[str, tuple[Steps, tuple[int, int], str]] = {
    "batches": (batches, (120, 34), "batchdeck-dark"),
    "facets": (facets, (120, 30), "batchdeck-dark"),
    "results": (results, (160, 44), "batchdeck-dark"),
    "row": (row, (80, 24), "batchdeck-dark"),
    "retry": (retry, (100, 30), "batchdeck-light"),
    "compose": (compose, (100, 30), "batchdeck-dark"),
    "template": (template, (140, 40), "batchdeck-dark"),
}


async def main() -> None:
    """Make all pictures, each from a home of its own."""
    for steps, size, theme in PICTURES.values():
        with tempfile.TemporaryDirectory(prefix="batchdeck-pictures-") as folder:
            paths = Paths.find(Path(folder) / "home")
            await asyncio.to_thread(lambda paths=paths: asyncio.run(seed_demo(paths)))
            config = msgspec.structs.replace(load_config(paths), theme=theme)
            await _shoot(paths, config, steps, size)


async def _shoot(paths: Paths, config: Config, steps: Steps, size: tuple[int, int]) -> None:
    async def open_engine() -> Engine:
        return await Engine.open(paths, config)

    app = BatchdeckApp(paths, config, open_engine)
    async with app.run_test(size=size) as pilot:
        shooter = Shooter(app, pilot)
        await shooter.until(lambda: app.main.batches.job is not None)
        await steps(shooter)
        assert app.engine is not None
        await app.engine.close()


if __name__ == "__main__":
    # The pictures have all colours, whatever terminal they are made in.
    os.environ["COLORTERM"] = "truecolor"
    asyncio.run(main())
