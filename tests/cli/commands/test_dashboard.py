"""How the dashboard is opened: its arguments, and when it is refused."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replaces the dashboard and records its arguments."""
    calls: list[dict[str, Any]] = []

    def run_dashboard(
        paths: Any,
        config: Any,
        *,
        open_file: Path | None,
        demo: bool,
        tour: bool,
        config_error: Any,
    ) -> int:
        # The home is created by the dashboard; the temporary folder around it is there before.
        is_there = paths.config.parent.is_dir()
        call = {"paths": paths, "file": open_file, "demo": demo, "tour": tour, "is_there": is_there}
        calls.append({**call, "config": config, "complaint": config_error})
        return 0

    module = types.ModuleType("tui.ui.start")
    module.run_dashboard = run_dashboard  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tui.ui.start", module)
    monkeypatch.setattr("tui.cli.commands.dashboard.is_terminal", lambda stream: True)
    return calls


def test_no_command_opens_the_dashboard(run: Run, opened: list[dict[str, Any]], home: Path) -> None:
    assert run().code == 0
    assert opened[0]["paths"].data == home
    assert opened[0]["file"] is None
    assert opened[0]["demo"] is False


def test_a_file_opens_the_dashboard_with_it(
    run: Run, opened: list[dict[str, Any]], requests: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "no-ending"
    plain.write_text("{}", "utf-8")
    assert run(requests).code == 0
    assert run(plain, "--home", tmp_path / "other").code == 0
    assert [call["file"] for call in opened] == [requests, plain]
    assert opened[1]["paths"].data == tmp_path / "other"


def test_a_missing_file_is_reported_before_the_dashboard_opens(
    run: Run, opened: list[dict[str, Any]]
) -> None:
    assert run("gone.jsonl").code == 2
    assert not opened


def test_the_demo_uses_a_temporary_home(run: Run, opened: list[dict[str, Any]], home: Path) -> None:
    assert run("--demo").code == 0
    used = opened[0]["paths"].data
    assert opened[0]["demo"] is True
    assert opened[0]["is_there"] is True
    assert used != home
    assert not used.parent.exists()


def test_the_tour_uses_a_temporary_home(
    run: Run, opened: list[dict[str, Any]], home: Path, tmp_path: Path
) -> None:
    assert run("tour", "--theme", "batchdeck-light").code == 0
    call = opened[0]
    assert call["tour"] is True and call["demo"] is False
    assert call["config"].theme == "batchdeck-light"
    assert call["paths"].data != home
    assert not call["paths"].data.parent.exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine", "utf-8")
    assert "not empty" in run("tour", "--home", tmp_path / "mine").err


def test_the_demo_refuses_a_home_that_is_not_empty(
    run: Run, opened: list[dict[str, Any]], tmp_path: Path
) -> None:
    used = tmp_path / "used"
    used.mkdir()
    assert run("--demo", "--home", used).code == 0
    (used / "history.db").write_bytes(b"")
    done = run("--demo", "--home", used)
    assert done.code == 2
    assert "not empty" in done.err
    assert len(opened) == 1


def test_the_dashboard_opens_with_a_broken_configuration(
    run: Run, opened: list[dict[str, Any]], home: Path
) -> None:
    home.mkdir()
    (home / "config.toml").write_text("compact = true\nthme = 'x'\n", "utf-8")
    assert run().code == 0
    (call,) = opened
    assert "line 2: unknown key 'thme'" in call["complaint"].message
    assert "theme" in call["complaint"].hint
    assert call["config"].compact is True
    # The commands that act refuse it, in two lines.
    done = run("list")
    assert done.code == 2
    assert len(done.err.splitlines()) == 2


def test_a_theme_option_applies_to_one_run(
    run: Run, opened: list[dict[str, Any]], requests: Path
) -> None:
    assert run("--theme", "batchdeck-ansi").code == 0
    assert run("--theme", "nord", requests).code == 0
    assert run(requests, "--theme", "dracula").code == 0
    assert [call["config"].theme for call in opened] == ["batchdeck-ansi", "nord", "dracula"]
    assert not (opened[0]["paths"].config / "config.toml").exists()


def test_an_unknown_theme_names_the_nearest_one(run: Run, opened: list[dict[str, Any]]) -> None:
    done = run("--theme", "batchdeck-anssi")
    assert done.code == 2 and not opened
    assert "unknown theme 'batchdeck-anssi'" in done.err
    assert "'batchdeck-ansi'" in done.err
    assert run("--theme", "nord", "list").code == 2
