"""Files outside of the folders, hidden ones, and those of Batchdeck are not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mcp.conftest import Served
from tui.errors import InputError
from tui.mcp.folders import Folders


@pytest.fixture
def folders(tmp_path: Path, work: Path) -> Folders:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (work / ".env").write_text("KEY=1\n")
    (work / "rows.csv").write_text("a\n1\n")
    (work / "home").mkdir()
    (work / "home" / "config.toml").write_text("")
    (work / "docs").mkdir()
    (work / "docs" / "a.txt").write_text("one")
    (work / "link.csv").symlink_to(tmp_path / "secret.csv")
    (work / "out").symlink_to(tmp_path)
    return Folders([work], closed=[work / "home"])


@pytest.mark.parametrize(
    "name",
    [
        "../secret.csv", "/etc/passwd", "link.csv", "out/secret.csv", ".env", "docs/../.env",
        "home/config.toml", "home", "x\0y", "~/rows.csv", "nowhere.csv",
    ],
)  # fmt: skip
def test_what_may_not_be_read(folders: Folders, name: str) -> None:
    with pytest.raises(InputError):
        folders.readable(name)
    with pytest.raises(InputError):
        folders.source(name)


def test_what_may_be_read(folders: Folders, work: Path) -> None:
    assert folders.readable("rows.csv") == folders.readable(str(work / "rows.csv"))
    assert folders.source("rows.csv::part") == f"{work / 'rows.csv'}::part"
    assert folders.source("docs") == str(work / "docs")
    assert folders.source("docs/*.txt") == str(work / "docs" / "*.txt")
    assert folders.source("job:reviews::outcome:failed") == "job:reviews::outcome:failed"
    # A link in a folder of texts leads outside.
    (work / "docs" / "b.txt").symlink_to(work.parent / "secret.csv")
    for source in ("docs", "docs/*.txt", "*/b.txt", "-", "../*.csv", "https://h.org/a.csv"):
        with pytest.raises(InputError):
            folders.source(source)


def test_what_may_be_written(folders: Folders, work: Path) -> None:
    assert folders.writable("new.csv", overwrite=False) == work / "new.csv"
    assert folders.writable("rows.csv", overwrite=True) == work / "rows.csv"
    for name, overwrite in (
        ("rows.csv", False), ("docs", True), ("nowhere/a.csv", True), ("link.csv", True),
        ("home/a.csv", True), (".bashrc", True),
    ):  # fmt: skip
        with pytest.raises(InputError):
            folders.writable(name, overwrite=overwrite)
    with pytest.raises(InputError):
        Folders([work / "nowhere"])


async def test_templates_and_programs_read_no_other_files(served: Served, work: Path) -> None:
    outside = work.parent / "prompt.txt"
    outside.write_text("secret {a}")
    (work / "rows.csv").write_text("a\n1\n")
    (work / "own.txt").write_text("mine {a}")
    (work / "seen.toml").write_text('user = "{a}"\nimages = ["{a}"]\n')
    (work / "run.py").write_text("def requests():\n    yield {'a': 1}\n")
    made = {"source": "rows.csv", "output": "out.jsonl", "model": "m"}
    async with served() as call:
        for template in (str(outside), "../prompt.txt", "seen.toml"):
            refused = await call("compose", **made, template=template)
            assert refused.failed and "secret" not in refused.text
        program = await call("compose", **{**made, "source": "run.py"}, template="{a}")
        assert program.failed and "was not run" in program.text
        requests = await call("compose", **{**made, "output": "out.txt"}, template="{a}")
        assert requests.failed and ".jsonl" in requests.text
        own = await call("compose", **made, template="own.txt")
        assert "mine 1" in own.document["first_request"]
        assert (await call("compose", **made, template="own.txt")).failed
        assert (await call("compose", **made, template="{a}", overwrite=True)).document["rows"] == 1
