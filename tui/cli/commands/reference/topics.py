"""``help``: lists the pages of help, shows one, and searches them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from tui.cli.options import Settings, shared
from tui.cli.output import (
    clean,
    has_colour,
    paint,
    print_lines,
    print_result,
    say,
    table,
    terminal_width,
    truncate_cells,
)
from tui.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tui.docs.topics import Match, Topic


def _complete_topics(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from tui.docs.topics import topics

    return [
        CompletionItem(one.name, help=one.summary) for one in topics() if one.name.startswith(start)
    ]


@click.command("help", short_help="List, show and search the pages of help.")
@click.argument("topic", required=False, shell_complete=_complete_topics)
@click.option("--search", metavar="WORDS", help="Find the sections in which all words occur.")
@shared
@click.pass_context
def show_help(
    context: click.Context, settings: Settings, topic: str | None, search: str | None
) -> None:
    """Show the page TOPIC, or the help of a command; without TOPIC list all pages.

    In a pipe a page is printed as it is, in Markdown.
    """
    from tui.docs import topics as pages

    if search is not None:
        if topic is not None:
            raise UsageError("--search looks in all pages", f"Leave out {topic!r}.")
        _print_matches(settings, search, pages.search(search))
        return
    if topic is None:
        _print_list(settings, pages.topics())
        return
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    if topic in root.command.commands and topic not in {one.name for one in pages.topics()}:
        command = root.command.commands[topic]
        within = click.Context(command, info_name=topic, parent=root)
        text = command.get_help(within)
        print_result(settings, lambda: _page(topic, topic, text), lambda: text.split("\n"))
        return
    page = pages.topic(topic)
    print_result(
        settings, lambda: _page(page.name, page.title, page.text), lambda: _drawn(page.text)
    )


def _page(name: str, title: str, text: str) -> dict[str, str]:
    return {"topic": name, "title": title, "text": text}


def _drawn(text: str) -> Iterable[str]:
    width = terminal_width(sys.stdout)
    if width is None:
        return text.rstrip("\n").split("\n")
    from tui.docs.terminal import drawn

    return drawn(text, width, colours=has_colour(sys.stdout))


def _print_list(settings: Settings, found: tuple[Topic, ...]) -> None:
    print_result(
        settings,
        lambda: {
            "topics": [
                {"topic": one.name, "title": one.title, "summary": one.summary} for one in found
            ]
        },
        lambda: table(
            ("TOPIC", "WHAT IT HAS"), [(one.name, one.summary) for one in found], elastic=1
        ),
    )
    if not settings.json:
        say(
            "Show one with `batchdeck help TOPIC`, find a word with `batchdeck help --search WORD`."
        )


def _print_matches(settings: Settings, query: str, found: list[Match]) -> None:
    if settings.json or found:
        print_result(
            settings,
            lambda: {
                "matches": [
                    {"topic": match.topic.name, "heading": match.heading, "line": match.line}
                    for match in found
                ]
            },
            lambda: (line for match in found for line in _match_lines(match)),
        )
        return
    print_lines(())
    say(f"No page of help has {clean(query)!r}.")


def _match_lines(match: Match) -> Iterable[str]:
    title = match.topic.title
    heading = "" if match.heading == title else f" › {match.heading}"
    yield f"{paint(match.topic.name, 'bold', sys.stdout)}{heading}"
    if match.line:
        width = terminal_width(sys.stdout)
        line = f"  {match.line}"
        yield line if width is None else truncate_cells(line, width)
