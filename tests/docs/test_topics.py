"""The pages of help: every option, command, key and setting that they name exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import msgspec
import pytest

from tests.documents import ROOT, CodeBlock, commands_of, read_blocks
from tui.cli.program import program
from tui.config import settings
from tui.core.query import KEYS, parse_query
from tui.docs.terminal import drawn
from tui.docs.topics import Topic, plain, search, topic, topics
from tui.errors import UsageError
from tui.ui.commands.command_table import COMMANDS

BY_NAME = {one.name: one for one in topics()}


def spans(text: str) -> list[str]:
    """The code spans of a page, outside of its blocks."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return re.findall(r"`([^`]+)`", outside)


def command_lines(one: Topic) -> Iterator[str]:
    """Every ``batchdeck …`` in blocks and spans."""
    for block in read_blocks(f"tui/docs/pages/{one.name}.md"):
        if block.language == "sh":
            yield from (line for _, line in commands_of(block))
    for span in spans(one.text):
        yield from (line for _, line in commands_of(CodeBlock(one.name, 1, "sh", span)))


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, and the rest of the words."""
    command: click.Command = program
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command: click.Command) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {
        "--help",
        "-h",
    }


def all_options(group: click.Group) -> set[str]:
    found = options_of(group)
    for command in group.commands.values():
        found |= all_options(command) if isinstance(command, click.Group) else options_of(command)
    return found


@pytest.mark.parametrize("name", BY_NAME)
def test_commands_and_options_exist(name: str) -> None:
    known = all_options(program)
    for line in command_lines(BY_NAME[name]):
        if not line.startswith("batchdeck "):
            continue
        command, rest = command_of(shlex.split(line.replace("…", ""), comments=True)[1:])
        for word in rest:
            if re.match(r"--?[a-z]", word):
                assert word.partition("=")[0] in options_of(command), line
        if command.name == "help" and rest and rest[0].islower():
            assert rest[0] in BY_NAME, line
    for span in spans(BY_NAME[name].text):
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]+", span):
            assert option in known, (name, option)


def test_every_query_key_is_explained_and_every_condition_is_valid() -> None:
    page = BY_NAME["queries"].text
    explained = {span.partition(":")[0] for span in spans(page)}
    assert {key.name for key in KEYS} <= explained
    conditions = re.findall(r"^\| `([^`]+)`(?:, `([^`]+)`)? \|", page, flags=re.M)
    found = [one for pair in conditions for one in pair if one]
    assert len(found) > len(KEYS)
    for condition in found:
        query = parse_query(condition)
        assert not query.problems and len(query.terms) == 1 and query.terms[0].key, condition


def test_every_key_of_the_dashboard_that_a_page_names_exists() -> None:
    names = {"slash": "/", "escape": "esc", "equals_sign": "=", "comma": ",", "colon": ":",
             "less_than_sign": "<", "greater_than_sign": ">",
             "left_square_bracket": "[", "right_square_bracket": "]",
             "question_mark": "?"}  # fmt: skip
    known = {names.get(key, key) for command in COMMANDS for key in command.keys.split(",")}
    cells = re.findall(r"^\| (`.*?`) \| .*? \| (`.*?`) \|", BY_NAME["keys"].text, flags=re.M)
    named = {span for row in cells for cell in row for span in re.findall(r"`([^`]+)`", cell)}
    assert len(named) > 30
    assert named <= known


def test_every_setting_is_explained() -> None:
    page = BY_NAME["config"].text
    for kind in vars(settings).values():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for field in kind.__struct_fields__:
                assert re.search(rf"`\[?{field}\b", page), f"{kind.__name__}.{field}"


def test_the_readme_links_every_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[`([\w-]+)`\]\(tui/docs/pages/([\w-]+)\.md\) \|", readme, flags=re.M)
    assert rows == [(name, name) for name in BY_NAME]


def test_a_topic_is_found_by_its_beginning_and_a_word_in_its_section() -> None:
    assert topic("exit").name == "exit-codes"
    with pytest.raises(UsageError, match="no topic of help named 'qeries'") as error:
        topic("qeries")
    assert "Did you mean queries?" in error.value.hint
    first = search("BUDGET per_month")[0]
    assert (first.topic.name, first.heading) == ("costs", "Budgets")
    assert "per_month" in first.line
    assert search("no-such-word-anywhere") == [] == search("  ")


def test_a_page_is_drawn_within_the_width_and_without_marks() -> None:
    for width, colours in ((60, False), (200, True)):
        lines = drawn(BY_NAME["exit-codes"].text, width, colours=colours)
        assert any("stopped by a budget" in line for line in lines)
        assert ("\x1b" in "".join(lines)) is colours
        if not colours:
            assert max(map(len, lines)) <= width
    assert plain("| `a` | **b** |") == "a · b"
    assert plain("| a | | c |") == "a · c"
    assert plain("|---|---|") == plain("```sh") == ""
    assert plain("see [keys](keys.md), 2*3") == "see keys, 2*3"
