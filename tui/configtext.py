"""The text of ``config.toml``: the commented file of the first start, and edits that keep it.

Nothing here knows what a setting means; ``tui.config`` checks what comes of an edit.
"""

from __future__ import annotations

import re

FIRST_FILE = """\
# Batchdeck's settings. Every line here is off: take the # away to set what it says.
# The dashboard's settings screen (key: ,) writes into this file and keeps your comments.
# `batchdeck doctor` checks it; `batchdeck locate` says where it is.

# The account that is meant when none is named. The sandbox runs here, free, without a key.
#default_account = "sandbox"

# batchdeck-dark, batchdeck-light, batchdeck-contrast, batchdeck-contrast-light,
# batchdeck-ansi (the terminal's own colours, on a dark or a light ground), or any of Textual:
# nord, gruvbox, dracula, tokyo-night, catppuccin-mocha, solarized-light ...
#theme = "batchdeck-dark"

# Less air: no frames around the panes, more rows.
#compact = false

# Other programs, in place of $VISUAL or $EDITOR, and of $PAGER.
#editor = "nano"
#pager = "less -R"

[notifications]
# When a job ends while you look elsewhere.
#bell = true
# "3 running" in the title of the terminal.
#title = true
# A notification of the desktop, sent through the terminal (OSC 9 or OSC 777):
# "auto" for terminals known to understand it, "osc9", "osc777" or "off".
#desktop = "auto"

[hooks]
# A command that is run when a job ends, with the job document (JSON) on its stdin.
# No shell, no keys in its environment; its output goes to the log.
#on_job_end = "/home/me/bin/batch-ended --quiet"
# Seconds after which it is stopped.
#timeout = 60

[budget]
# A submit that may cost more is not sent.
#per_submit = 5.00
# All submits of a calendar month (UTC).
#per_month = 50.00
#currency = "USD"

[polling]
# Seconds between two questions to a provider about a batch; its own limits hold as well.
#fastest = 5
#slowest = 300

# Your own keys, by the command's id. `?` in the dashboard shows all commands.
[keymap]
#retry = "r,f5"
#help = "question_mark,f1"

# An account: a provider, an address and a key under a name. The key itself is never here:
# `batchdeck keys set work`, or the environment variable BATCHDECK_KEY_WORK.
#[accounts.work]
#provider = "openai"

# What a million tokens cost, where Batchdeck does not know it.
#[prices."my-model"]
#input = 0.20
#output = 0.80
"""
"""What a new user finds: every setting, off, with what it does."""

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_VALUE = r"""(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^#'"\n]*?)"""


def text_lines(text: str) -> list[str]:
    """Lines with their ends, cut at line feeds alone."""
    lines = text.split("\n")
    return [*(f"{line}\n" for line in lines[:-1]), *([lines[-1]] if lines[-1] else [])]


def line_of(text: str, section: str, key: str) -> int | None:
    """The line, from 1, on which a key of a section stands; ``None`` when it is not found.

    Args:
        text: The file.
        section: ``accounts.work``, empty for the top.
        key: The key in it.
    """
    wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]")
    here = ""
    for number, line in enumerate(text_lines(text), start=1):
        header = _HEADER.match(line)
        if header:
            here = header.group(1).replace('"', "").replace("'", "")
            # A table under an unknown name is that name's line.
            if here == ".".join(filter(None, (section, key))):
                return number
        elif here == section and wanted.match(line):
            return number
    return None


def with_value(text: str, key: str, value: str | None) -> str:
    """The text with an option set, or taken away; comments and all else stay.

    Args:
        text: The file.
        key: ``theme``, or ``budget.per_month`` for one in a table.
        value: The value as TOML; ``None`` takes the option away.
    """
    section, _, name = key.rpartition(".")
    lines = text_lines(text)
    place = _section(lines, section)
    if place is None:
        if value is None:
            return text
        gap = "\n" if text and not text.endswith("\n") else ""
        return f"{text}{gap}\n[{section}]\n{name} = {value}\n"
    start, stop = place
    assignment = re.compile(rf"(\s*{re.escape(name)}\s*=\s*){_VALUE}(\s*#.*)?\n?$")
    proposal = re.compile(rf"#\s*{re.escape(name)}\s*=")
    after = start if section else 0
    for index in range(start, stop):
        line = lines[index]
        found = assignment.match(line)
        if found:
            comment = found.group(2) or ""
            lines[index : index + 1] = (
                [] if value is None else [f"{found.group(1)}{value}{comment}\n"]
            )
            return "".join(lines)
        if line.split("=")[0].strip() == name:
            # A value over several lines: whoever checks the outcome will see that it is off.
            lines[index] = f"{name} = {value}\n" if value is not None else ""
            return "".join(lines)
        if proposal.match(line):
            after = index + 1
    if value is not None:
        if after and not lines[after - 1].endswith("\n"):
            lines[after - 1] += "\n"
        lines.insert(after, f"{name} = {value}\n")
    return "".join(lines)


def _section(lines: list[str], section: str) -> tuple[int, int] | None:
    """From the line after a header to the next header; ``None`` without the header."""
    start = 0 if not section else None
    for index, line in enumerate(lines):
        header = _HEADER.match(line)
        if not header:
            continue
        if start is not None:
            return start, index
        if header.group(1) == section and not line.lstrip().startswith("[["):
            start = index + 1
    return None if start is None else (start, len(lines))
