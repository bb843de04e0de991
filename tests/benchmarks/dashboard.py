"""The dashboard with results coming in without a pause, to be driven by ``bench_keys.py``.

Run as ``python dashboard.py HOME RESULTS``: from the moment that ``HOME/go`` exists, the job
``incoming`` collects the file of results again and again with the engine's own collector;
each time adds a line to ``HOME/collected``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.histories import SOURCE, FileDialect
from tui.config.settings import Config
from tui.core.jobs import BatchStatus
from tui.core.remote_batches import RemoteBatch
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui import start
from tui.ui.app import BatchdeckApp


async def keep_collecting(engine: Engine, home: Path, results: Path) -> None:
    """Collect the same results until the program ends."""
    while not (home / "go").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.05)
    batch = engine.history.batches.get("incoming-batch")
    remote = RemoteBatch(
        id="r", status=BatchStatus.COMPLETED, raw_status="completed", results=(SOURCE,)
    )
    while True:
        engine._collector.mark_suspect(batch, remote)
        await engine._collector.fetch(FileDialect(results), batch, remote)  # type: ignore[arg-type]
        with (home / "collected").open("a") as log:
            log.write("once more\n")


def main() -> None:
    """Run the dashboard."""
    home, results = Path(sys.argv[1]), Path(sys.argv[2])
    tasks = []

    async def open_engine() -> Engine:
        engine = await Engine.open(paths, Config())
        tasks.append(asyncio.create_task(keep_collecting(engine, home, results)))
        return engine

    paths = Paths.find(home)
    app = BatchdeckApp(paths, Config(), open_engine)
    app.on_started, app.on_pause = start.freeze_gc, start.collect_garbage
    app.run()


if __name__ == "__main__":
    main()
