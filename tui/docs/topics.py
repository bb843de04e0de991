"""The topics of help: pages in Markdown that the package ships, and a search in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tui.errors import UsageError

PAGES = Path(__file__).with_name("pages")
"""The folder of the pages, ``NAME.md`` each."""

_ORDER = (
    "files", "templates", "providers", "costs", "queries", "columns", "reviews", "experiments",
    "keys", "config", "json", "exit-codes", "python", "agents", "faq", "security", "performance",
)  # fmt: skip
"""The topics in the order of a job; others follow by name."""

_HEADING = re.compile(r"(#{1,3}) (.+)")
_FENCE = re.compile(r"\s*```")
_MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)|\*\*|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)|`")


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, which is the title of the page for its beginning."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """A page of help.

    Attributes:
        name: What ``batchdeck help`` calls it.
        title: Its heading.
        summary: Its first sentence.
        text: The page, in Markdown.
    """

    name: str
    title: str
    summary: str
    text: str

    @property
    def sections(self) -> Iterator[Section]:
        """The parts of the page, with the lines below each heading."""
        heading, lines, in_code = self.title, [], False
        for line in self.text.split("\n"):
            in_code ^= _FENCE.match(line) is not None
            found = None if in_code else _HEADING.fullmatch(line)
            if found is None:
                lines.append(line)
                continue
            if any(lines):
                yield Section(heading, tuple(lines))
            heading, lines = found[2], []
        yield Section(heading, tuple(lines))


@dataclass(frozen=True)
class Match:
    """A section of a page in which all words of a search occur.

    Attributes:
        topic: The page.
        heading: The heading of the section.
        line: The line of it that has the most of the words, without markup.
    """

    topic: Topic
    heading: str
    line: str


@cache
def topics() -> tuple[Topic, ...]:
    """All topics, in the order of a job."""
    found = {path.stem: path for path in sorted(PAGES.glob("*.md"))}
    ordered = sorted(found, key=lambda name: (_place(name), name))
    return tuple(_read(name, found[name]) for name in ordered)


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _read(name: str, path: Path) -> Topic:
    text = path.read_text("utf-8")
    title, _, rest = text.partition("\n")
    paragraph = rest.strip().partition("\n\n")[0].replace("\n", " ")
    summary = re.split(r"(?<=[.?:])\s+(?=[A-Z])", paragraph)[0]
    return Topic(name, title.removeprefix("# "), plain(summary), text)


def topic(name: str) -> Topic:
    """The topic of a name, or of the beginning of one.

    Raises:
        UsageError: There is none, or there are several.
    """
    wanted = name.casefold()
    for one in topics():
        if one.name == wanted:
            return one
    near = [one for one in topics() if wanted and one.name.startswith(wanted)]
    if len(near) == 1:
        return near[0]
    import difflib

    names = [one.name for one in topics()]
    meant = [one.name for one in near] or difflib.get_close_matches(wanted, names, n=1)
    hint = f"Did you mean {' or '.join(meant)}? " if meant else ""
    raise UsageError(
        f"no topic of help named {name!r}",
        f"{hint}`batchdeck help` lists them; `batchdeck help --search {name}` looks inside.",
    )


def search(query: str) -> list[Match]:
    """The sections in which all words of a query occur, anywhere and in any case.

    Those come first whose topic or heading has a word of the query.
    """
    words = query.casefold().split()
    if not words:
        return []
    titled: list[Match] = []
    others: list[Match] = []
    for one in topics():
        for section in one.sections:
            lines = [shown for line in section.lines if (shown := plain(line))]
            heading = f"{one.name} {one.title} {section.heading}".casefold()
            whole = "\n".join((heading, *lines)).casefold()
            if not all(word in whole for word in words):
                continue
            # A word that the heading has already says less about the line.
            rare = [word for word in words if word not in heading] or words
            best = max(lines, key=lambda line: (_hits(line, rare), _hits(line, words)), default="")
            match = Match(one, section.heading, best if _hits(best, words) else "")
            (titled if _hits(heading, words) else others).append(match)
    return [*titled, *others]


def _hits(line: str, words: list[str]) -> int:
    folded = line.casefold()
    return sum(word in folded for word in words)


def plain(line: str) -> str:
    """A line without Markdown's marks; empty for rules and fences."""
    if _FENCE.match(line) or re.fullmatch(r"[|\-: ]*", line):
        return ""
    line = line.strip()
    if line.startswith("|"):
        line = " · ".join(filter(None, re.split(r"\s*\|\s*", line.strip("|").strip())))
    return _MARKUP.sub(lambda found: found[1] or "", line)
