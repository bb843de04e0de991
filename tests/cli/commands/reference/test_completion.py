"""``completion``: what is written where, twice the same, and undone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tui.cli.commands.reference import completion


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's folder, without the package bash-completion."""
    folder = tmp_path / "person"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(completion, "_BASH_COMPLETION", ())
    return folder


@pytest.mark.parametrize(
    ("shell", "script", "start"),
    [
        ("bash", ".local/share/bash-completion/completions/batchdeck", ".bashrc"),
        ("zsh", ".local/share/batchdeck/completion.zsh", ".zshrc"),
        ("fish", ".config/fish/completions/batchdeck.fish", ""),
    ],
)
def test_it_is_installed_once_and_undone(
    run: Run, person: Path, shell: str, script: str, start: str
) -> None:
    mine = "# mine, without a line end"
    if start:
        (person / start).write_text(mine)
        (person / start).chmod(0o640)
    first = run("completion", "install", shell, "-y")
    assert first.code == 0
    assert script in first.err and f"completion uninstall {shell}" in first.err
    assert "_BATCHDECK_COMPLETE" in (person / script).read_text()
    if start:
        text = (person / start).read_text()
        assert text.startswith(f"{mine}\n[ -f ") and text.count("batchdeck completion") == 1
    assert "Already installed" in run("completion", "install", shell, "-y").err
    assert run("completion", "uninstall", shell, "-y").code == 0
    assert not (person / script).exists()
    if start:
        assert (person / start).read_text() == f"{mine}\n"
        assert (person / start).stat().st_mode & 0o777 == 0o640
    assert "Not installed" in run("completion", "uninstall", shell, "-y").err


def test_the_line_of_another_place_is_replaced_and_a_link_is_followed(
    run: Run, person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (person / "dotfiles").mkdir()
    (person / "dotfiles" / "zshrc").write_text("# mine\n")
    (person / ".zshrc").symlink_to(person / "dotfiles" / "zshrc")
    run("completion", "install", "zsh", "-y")
    monkeypatch.setenv("XDG_DATA_HOME", str(person / "else where"))
    run("completion", "install", "zsh", "-y")
    text = (person / "dotfiles" / "zshrc").read_text()
    assert text.count("batchdeck completion") == 1
    assert "'" in text and "else where" in text
    assert (person / ".zshrc").is_symlink()


def test_bash_with_bash_completion_needs_no_line(
    run: Run, person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = person / "bash_completion"
    package.touch()
    monkeypatch.setattr(completion, "_BASH_COMPLETION", (str(package),))
    monkeypatch.setenv("SHELL", "/bin/bash")
    assert run("completion", "install", "-y").code == 0
    assert not (person / ".bashrc").exists()


def test_another_shell_is_refused_with_what_to_type(
    run: Run, person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    done = run("completion", "install")
    assert done.code == 2
    assert "'tcsh'" in done.err and "completion install SHELL" in done.err
    monkeypatch.delenv("SHELL")
    assert "SHELL is not set" in run("completion", "show").err


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_accepts_the_script(run: Run, person: Path) -> None:
    script = run("completion", "show", "bash").out
    asked = [*("bash", "--norc", "-c"), f"{script}\ncomplete -p batchdeck"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "_batchdeck_completion batchdeck" in done.stdout
