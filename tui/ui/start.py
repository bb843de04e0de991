"""Runs the dashboard: makes the app, opens its engine, and keeps garbage collection short."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tui.config.api_keys import refuse_terminal_prompts
from tui.config.settings import FREE_ONLY, Config, create_config, load_config
from tui.errors import BatchdeckError, ConfigError
from tui.paths import Paths
from tui.progress import ExitTimer
from tui.ui.app import BatchdeckApp

if TYPE_CHECKING:
    from tui.engine.engine import Engine

_LONG_START = 2.0
"""Seconds from which on a start is logged."""


def run_dashboard(
    paths: Paths,
    config: Config,
    *,
    open_file: Path | None = None,
    demo: bool = False,
    tour: bool = False,
    config_error: BatchdeckError | None = None,
) -> int:
    """Run the dashboard until the user quits.

    Args:
        paths: Paths of the Batchdeck home.
        config: The settings.
        open_file: A request file to open in Compose.
        demo: Fill the home with sample jobs first.
        tour: Show the guided first run, over a table that is written into the home.
        config_error: The error in ``config.toml``, shown once the screen is up.

    Returns:
        The exit code.
    """

    async def open_engine() -> Engine:
        from tui.engine.engine import Engine
        from tui.logs import LOGGER

        started = time.monotonic()
        if demo:
            from tui.engine.demo import seed_demo

            # In its own event loop: it imports a few thousand rows while this one paints.
            await asyncio.to_thread(lambda: asyncio.run(seed_demo(paths)))
            app.session.config = load_config(paths)
        if tour:
            from tui.engine.demo import lay_out_table

            table = await asyncio.to_thread(lay_out_table, paths)
            state = app.session.state
            state.folder = state.export_folder = str(table.parent)
        try:
            await asyncio.to_thread(create_config, paths)
        except ConfigError as error:
            app.session.log.note(error.message, bad=True)
        made = time.monotonic()
        try:
            engine = await Engine.open(paths, app.session.config)
        except ConfigError as error:
            # A custom provider is invalid: start with the built-in ones.
            app.config_error = app.config_error or error
            app.session.config = msgspec.structs.replace(config, providers={}, budget=FREE_ONLY)
            engine = await Engine.open(paths, app.session.config)
        opened = time.monotonic()
        if opened - started > _LONG_START:
            words = "start: %.1f s until the history was made, %.1f s until it was open"
            LOGGER.info(words, made - started, opened - made)
        return engine

    refuse_terminal_prompts()
    app = BatchdeckApp(paths, config, open_engine, open_file=open_file, tour=tour)
    app.config_error = config_error
    app.on_started, app.on_pause = freeze_gc, collect_garbage
    leaving = ExitTimer()
    app.on_left = leaving.start
    try:
        return app.run() or app.return_code or 0
    finally:
        leaving.cancel()


def freeze_gc() -> None:
    """Exclude the objects that exist now (modules, panes) from all later collections.

    A full collection that includes the modules takes about 40 ms, enough to delay a key press
    visibly. One of what was made since takes half of that after a while, so it is left to
    ``collect_garbage``, unless nobody stops typing. Call it once, after startup.
    """
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _MOST_COLLECTIONS)
    gc.enable()


_MOST_COLLECTIONS = 400
"""Collections of younger objects before a full one, whether there was a pause or not."""

_COLLECTIONS = 8


def collect_garbage() -> None:
    """Make a full collection, if one is due; for a moment in which nobody types."""
    if gc.get_count()[2] >= _COLLECTIONS:
        gc.collect()
