"""From paths and settings to a dashboard that runs until the person leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tui.config import Config, load_config
from tui.configstart import NOTHING, write_first_config
from tui.errors import BatchdeckError, ConfigError
from tui.paths import Paths
from tui.ui import garbage
from tui.ui.app import BatchdeckApp

if TYPE_CHECKING:
    from tui.engine.engine import Engine


def run_dashboard(
    paths: Paths,
    config: Config,
    *,
    open_file: Path | None = None,
    demo: bool = False,
    complaint: BatchdeckError | None = None,
) -> int:
    """Run the dashboard until the person leaves.

    Args:
        paths: The home.
        config: The settings.
        open_file: A file of requests to show in Compose.
        demo: Fill the home with a history first.
        complaint: What is wrong with ``config.toml``, told when the screen is there.

    Returns:
        The exit code.
    """

    async def open_engine() -> Engine:
        from tui.engine.engine import Engine

        if demo:
            from tui.engine.demo import seed_demo

            # In a loop of its own: a few thousand rows are imported while this one paints.
            await asyncio.to_thread(lambda: asyncio.run(seed_demo(paths)))
            app.config = load_config(paths)
        try:
            await asyncio.to_thread(write_first_config, paths)
        except ConfigError as error:
            app.journal.note(error.message, bad=True)
        try:
            return await Engine.open(paths, app.config)
        except ConfigError as error:
            # A provider of the person's own is wrong: the others are not.
            app.complaint = app.complaint or error
            app.config = msgspec.structs.replace(config, providers={}, budget=NOTHING)
            return await Engine.open(paths, app.config)

    app = BatchdeckApp(paths, config, open_engine, open_file=open_file)
    app.complaint = complaint
    app.when_started = garbage.keep_what_is_there
    return app.run() or app.return_code or 0
