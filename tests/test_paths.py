from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tui.errors import UsageError
from tui.paths import (
    HOME_VARIABLE,
    Paths,
    expand_home,
    home_folder,
    is_file,
    is_folder,
    open_private,
    path_exists,
    private_folder,
    split_part,
    working_folder,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_explicit_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "other"))
    paths = Paths.find(tmp_path / "mine")
    assert paths.config == paths.data == paths.logs == tmp_path / "mine"
    assert paths.history_db == tmp_path / "mine" / "history.db"
    assert paths.job_folder("j1") == tmp_path / "mine" / "jobs" / "j1"


def test_then_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "other"))
    assert Paths.find().data == tmp_path / "other"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, "relative")
    assert Paths.find().data == tmp_path / "relative"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(HOME_VARIABLE, "~/tilde")
    assert Paths.find().data == tmp_path / "tilde"


def test_then_the_places_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE)
    for name, folder in {
        "XDG_CONFIG_HOME": "config",
        "XDG_DATA_HOME": "data",
        "XDG_STATE_HOME": "state",
    }.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    paths = Paths.find()
    if os.name == "posix" and not Path("/System").exists():
        assert paths.config_file == tmp_path / "config" / "batchdeck" / "config.toml"
        assert paths.history_db == tmp_path / "data" / "batchdeck" / "history.db"
    assert "batchdeck" in str(paths.log_file)


def test_an_empty_variable_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, "")
    assert Paths.find().data != Path.cwd()


def test_everything_is_private(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        paths = Paths.find(tmp_path / "home").ensure()
        os.close(open_private(paths.data / "x"))
    finally:
        os.umask(previous)
    for folder in (paths.config, paths.data, paths.jobs):
        assert mode(folder) == 0o700
    assert mode(paths.data / "x") == 0o600
    assert paths.ensure() == paths


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    folder.chmod(0o755)
    assert private_folder(folder) == folder
    assert mode(folder) == 0o755


def test_a_private_file_is_emptied_or_added_to(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")
    os.close(open_private(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    assert file.read_text() == "old"
    os.close(open_private(file))
    assert file.read_text() == ""


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with an unknown user id."""
    for name in (HOME_VARIABLE, "HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(UsageError) as caught:
        Paths.find()
    assert HOME_VARIABLE in caught.value.hint
    assert home_folder() is None
    assert expand_home("~/a.csv") == Path("~/a.csv")


@pytest.mark.parametrize(
    "name", ["~d", "~nobody-here/x", "x" * 5000, "/" * 5000, "a\x00b", "\ud800", "~"]
)
def test_no_typed_path_raises(name: str) -> None:
    path = expand_home(name)
    for look in (is_file, is_folder, path_exists):
        assert isinstance(look(path), bool)
    assert "".join(split_part(name)) == name


def test_a_folder_that_was_deleted_is_no_place_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert working_folder() == Path("/")
    monkeypatch.chdir(tmp_path)


def test_a_file_is_looked_for_before_its_name_is_split(tmp_path: Path) -> None:
    for name in ("a::b.csv", "shop.db"):
        (tmp_path / name).write_text("x")
    assert split_part(f"{tmp_path}/a::b.csv") == (f"{tmp_path}/a::b.csv", "")
    assert split_part(f"{tmp_path}/a::b.csv::part") == (f"{tmp_path}/a::b.csv", "part")
    query = "SELECT 'x::y' FROM t"
    assert split_part(f"{tmp_path}/shop.db::{query}") == (f"{tmp_path}/shop.db", query)
    assert split_part("nothing.txt::whole") == ("nothing.txt", "whole")
