"""The user's own actions in the dashboard: keys, footer, palette, help, and running them."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.ui.conftest import notes, running, screen_text, until
from tests.ui.jobs_with_answers import two_jobs
from tui.config.actions import ActionConfig
from tui.config.settings import Config, load_config
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.commands.command_table import Scope
from tui.ui.commands.own_commands import own_bindings, own_commands
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.text import DetailsDialog

TABLES = """\
[actions.push]
command = "true"
key = "K"

[actions.late]
command = "true"

key = "x"

[actions.twice]
command = "true"
key = "shift+k,W"
where = "rows"

[actions.moved]
command = "true"
key = "x"
where = "row"

[actions.odd]
command = "true"
key = "no such key"
"""


def test_a_key_that_is_taken_is_told_with_its_line(paths: Paths) -> None:
    paths.config_file.write_text(TABLES)
    config = load_config(paths)
    own = own_commands(config.actions, {}, paths.config_file)
    keys = {command.id: command.keys for command in own.commands}
    assert keys["action_push"] == "K" and keys["action_late"] == "" == keys["action_moved"]
    assert own.problems[0] == (
        "config.toml, line 8: the key 'x' is taken by 'Export'; run 'late' with ctrl+p instead"
    )
    # The keymap moves the keys of all commands, also of own ones.
    keymap = {"export": "ctrl+e", "action_push": "B"}
    own = own_commands(config.actions, keymap, paths.config_file)
    keys = {command.id: command.keys for command in own.commands}
    assert (keys["action_push"], keys["action_late"]) == ("B", "x")
    assert len(own_bindings(own.commands, Scope.BATCHES)) < len(own.commands)


def app_with(paths: Paths, **actions: ActionConfig) -> BatchdeckApp:
    config = Config(actions=actions)

    async def open_engine() -> Engine:
        return await Engine.open(paths, config)

    return BatchdeckApp(paths, config, open_engine)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


async def test_own_actions_run_and_are_stopped_like_other_commands(
    paths: Paths, tmp_path: Path
) -> None:
    two_jobs(paths)
    count = "import sys; print(len(sys.stdin.readlines()), 'rows')"
    many = "import json, sys; row = json.load(sys.stdin); print(*row['request'], sep='\\n')"
    app = app_with(
        paths,
        count=ActionConfig(command=python(count), where="rows", key="K", title="Count"),
        show=ActionConfig(command=python(many), where="row", key="W", confirm=True),
        hang=ActionConfig(command=python("import time; time.sleep(600)"), key="Z"),
        fails=ActionConfig(command=python("import sys; sys.exit('no [b]luck')"), key="B"),
        gone=ActionConfig(command=("/no/such/program",), key="x"),
    )
    async with running(app, (120, 36)) as pilot:
        assert "the key 'x' is taken by 'Export'" in notes(app)[0]
        assert "hang" in screen_text(app), "the footer has it"
        # On a job; the same key again stops it.
        await pilot.press("Z")
        running_now = app.session.tasks.context.running_actions  # type: ignore[attr-defined]
        await until(pilot, lambda: "hang" in running_now)
        await pilot.press("Z")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: notes(app)[-1] == "hang was stopped")
        await pilot.press("B")
        await until(pilot, lambda: notes(app)[-1] == "fails ended with exit code 1: no [b]luck")
        # On rows: those of the filter.
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 40)
        await pilot.press("K")
        await until(pilot, lambda: notes(app)[-1] == "Count: 40 rows")
        await pilot.press("slash", *"angry", "enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 1)
        await pilot.press("K")
        await until(pilot, lambda: notes(app)[-1] == "Count: 1 rows")
        # On one row, after a question; more than two lines are shown in a dialog.
        await pilot.press("W")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, DetailsDialog))
        assert "custom_id" in screen_text(app)
        await pilot.press("escape")
        # Help explains them; the palette has the one without a key.
        await pilot.press("question_mark")
        await until(pilot, lambda: "Help" in screen_text(app))
        help_text = "".join(str(part[0]) for part in app.screen.text())  # type: ignore[attr-defined]
        assert "with the marked rows" in help_text and "/no/such/program" in help_text
        await pilot.press("escape")
        command = next(c for c in app.dispatcher.commands if c.id == "action_gone")
        app.dispatcher.run(command)
        await until(pilot, lambda: "cannot run" in screen_text(app))


async def test_the_footer_follows_what_an_own_action_works_on(paths: Paths) -> None:
    two_jobs(paths)
    app = app_with(
        paths,
        on_row=ActionConfig(command=python(""), where="row", key="W", title="On row"),
        on_job=ActionConfig(command=python(""), key="Z", title="On job"),
    )

    def footer() -> str:
        return screen_text(app).splitlines()[-1]

    async with running(app, (160, 36)) as pilot:
        await until(pilot, lambda: "On job" in footer())
        assert "On row" not in footer()
        await pilot.press("enter")
        await until(pilot, lambda: "On row" in footer() and "On job" in footer())
        await pilot.press("slash", *"no such word", "enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 0)
        await until(pilot, lambda: "On row" not in footer() and "On job" in footer())
        await pilot.press("escape")
        await until(pilot, lambda: "On row" in footer())
