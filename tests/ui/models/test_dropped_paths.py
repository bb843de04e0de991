from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tui.ui.models.dropped_paths import MAX_PASTE, dropped_paths, existing_paths


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    names = ("it's.csv", "my reviews (2).csv", "a\\b.csv", "a::b.csv", "plain.csv", "ünï.csv")
    for name in names:
        (tmp_path / name).write_text("x")
    return [tmp_path / name for name in names]


def _escaped(path: Path) -> str:
    return "".join(c if c.isalnum() or c in "/._-" else "\\" + c for c in str(path))


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda path: f"{path} ",
        lambda path: f"{_escaped(path)} ",
        lambda path: f"{shlex.quote(str(path))} ",
        lambda path: f'"{path}"\n',
        lambda path: path.as_uri() + "\r\n",
        lambda path: path.as_uri().replace("file://", "file://localhost"),
    ],
)
def test_one_file_in_every_form(files: list[Path], form: object) -> None:
    for path in files:
        assert dropped_paths(form(path)) == [str(path)]  # type: ignore[operator]


@pytest.mark.parametrize("form", [_escaped, lambda path: shlex.quote(str(path)), Path.as_uri])
@pytest.mark.parametrize("between", [" ", "\n", "\r\n"])
def test_several_files(files: list[Path], form: object, between: str) -> None:
    text = between.join(form(path) for path in files)  # type: ignore[operator]
    assert dropped_paths(text) == [str(path) for path in files]


def test_what_is_no_file_stays_as_it_is() -> None:
    for text in ("shop.db::SELECT 'a' FROM t", "docs/*.txt", "nothing here.csv", "it's"):
        assert dropped_paths(text) == [text]
        assert existing_paths(text) == []
    assert dropped_paths(" \n") == []
    assert existing_paths("x" * (MAX_PASTE + 1)) == []
    assert existing_paths("\ud800\x00") == []
