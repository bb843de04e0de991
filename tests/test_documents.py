"""Every block of code in README and CONTRIBUTING, and every example of the client, is run."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import (
    ROOT,
    CodeBlock,
    Desk,
    as_script,
    commands_of,
    desk,
    docstring_examples,
    mapped,
    read_blocks,
    right_codes,
    why_skipped,
)
from tests.end_to_end.servers import join_all
from tui.config.settings import load_config
from tui.paths import Paths
from tui.providers.profiles.load import load_profiles

PAGES = sorted((ROOT / "tui/docs/pages").glob("*.md"))
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *(path.relative_to(ROOT).as_posix() for path in PAGES),
)
BLOCKS = [block for name in DOCUMENTS for block in read_blocks(name)]
KNOWN = {"", "sh", "python", "toml", "text", "json", "console"}

MODULES = [
    "tui.client",
    *(
        f"tui.client.{path.stem}"
        for path in sorted((ROOT / "tui/client").glob("*.py"))
        if path.stem != "__init__"
    ),
]
EXAMPLES = [
    (f"{module}: {name}", example)
    for module in MODULES
    for name, example in docstring_examples(importlib.import_module(module))
]


def of(language: str) -> list[CodeBlock]:
    return [block for block in BLOCKS if block.language == language]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("documents")) as found:
        yield found
    join_all()


@pytest.mark.parametrize("block", of("python"), ids=[block.place for block in of("python")])
def test_a_python_block_runs(block: CodeBlock, machine: Desk) -> None:
    machine.lay_out()
    done = machine.python(block.text)
    assert done.returncode == 0, f"{block.place}\n{done.stderr}"


@pytest.mark.parametrize("block", of("sh"), ids=[block.place for block in of("sh")])
def test_a_shell_block_runs(block: CodeBlock, machine: Desk) -> None:
    machine.lay_out()
    for line, command in commands_of(block):
        if why_skipped(command):
            continue
        done = machine.shell(mapped(command))
        said = f"{block.document}:{line}: {command}\n{done.stdout}\n{done.stderr}"
        assert done.returncode in right_codes(command), said
        assert "Traceback" not in done.stderr, said


@pytest.mark.parametrize("block", of("toml"), ids=[block.place for block in of("toml")])
def test_a_toml_block_is_a_configuration(block: CodeBlock, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(block.text)
    assert tomllib.loads(block.text)
    config = load_config(Paths.find(tmp_path))
    assert load_profiles(config.providers)


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_of_a_docstring_runs(name: str, example: str, machine: Desk) -> None:
    done = machine.python(f"from tui.client import *\n{as_script(example)}")
    assert done.returncode == 0, f"{name}\n{example}\n{done.stderr}"


def test_all_blocks_are_of_a_kind_that_is_looked_at() -> None:
    assert {block.language for block in BLOCKS} <= KNOWN
    assert of("sh") and of("python") and len(EXAMPLES) >= 4


def test_commands_are_found_in_blocks() -> None:
    text = "# a comment\n$ batchdeck list\nbatchdeck check a.jsonl \\\n    --json   # look\n\n"
    block = CodeBlock("x", 10, "sh", text + "batchdeck compose a.csv -t '{a} # b'")
    assert list(commands_of(block)) == [
        (11, "batchdeck list"),
        (12, "batchdeck check a.jsonl     --json   # look"),
        (15, "batchdeck compose a.csv -t '{a} # b'"),
    ]
    assert why_skipped("batchdeck   # open it") and why_skipped("batchdeck --demo")
    assert why_skipped("batchdeck requests.jsonl") and why_skipped("sh .ci/test")
    assert not why_skipped("batchdeck list") and not why_skipped("batchdeck check a.jsonl")
    assert mapped("batchdeck submit a.jsonl --account NAME") == (
        "batchdeck submit a.jsonl --account sandbox"
    )
    assert right_codes("batchdeck list") == {0} and 1 in right_codes("batchdeck submit x --wait")
