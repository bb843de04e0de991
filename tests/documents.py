"""The code of the documents, taken out of them and run as a reader would."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.servers import sandbox

ROOT = Path(__file__).resolve().parents[1]

SKIPPED: list[tuple[str, str]] = [
    (r"^(sh|bash) \.ci/", "installs the program, or runs these tests"),
    (r"^(git|pipx?|uv|uvx|brew|apt|apt-get|docker|sudo|cd|curl)\b", "installs or fetches"),
    (r"^\.venv/bin/python ", "the development environment; run by itself"),
    (
        r"^(\.venv/bin/)?batchdeck( tour| --demo| --home \S+| \S+\.(jsonl|csv))*$",
        "opens the dashboard",
    ),
    (r"^batchdeck (keys set|accounts test)\b", "asks a person, or the provider itself"),
    (r"^batchdeck sandbox serve\b", "runs until it is stopped"),
    (r"^batchdeck completion\b.*(>>|source|eval)", "changes the reader's shell"),
    (r"^(export|source|eval)\b", "sets up the reader's shell"),
    (r"\b(hf|s3|gs)://", "needs a network and a bucket; tested by tests/engine/transfers"),
    (r"…|<[A-Z_a-z]+>", "has a gap for the reader to fill in"),
]
"""Commands that are not run: a pattern of the line, and why."""

MAPPED: list[tuple[str, str]] = [
    (r"--account (NAME|ACCOUNT|work|cluster)\b", "--account sandbox"),
    (r"\bJOB\b", "reviews"),
    (r"--sample 20\b", "--sample 2"),
]
"""What stands in a command for something of the reader's own, which has more rows than ours."""

MAY_FAIL: list[tuple[str, set[int], str]] = [
    (r"^batchdeck (submit|watch|retry)\b", {0, 1}, "1 says that rows failed, as they are to"),
    (r"^batchdeck retry \S+ --direct\b", {0, 1, 2}, "2 says that nothing is left to retry"),
    (r"--budget\b", {0, 5}, "5 is the stop that is shown"),
]
"""Exit codes that are right beside 0: a pattern, the codes, and why."""

PRELUDE = """
import asyncio
text = "The harbour of Elsinore froze in January."
requests = [{"custom_id": f"r{n}", "method": "POST", "url": "/v1/chat/completions",
             "body": {"model": "gpt-5-mini", "max_tokens": 50,
                      "messages": [{"role": "user", "content": f"Say {n}"}]}} for n in range(3)]
"""
"""What the examples of docstrings take for granted."""

PROVIDERS = ("anthropic", "doubleword", "melious", "openai", "scaledown", "tensorzero")


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block: its document, the line it begins on, its language and its text."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


def read_blocks(document: str) -> list[CodeBlock]:
    """The fenced blocks of a document."""
    found: list[CodeBlock] = []
    language: str | None = None
    begun, lines = 0, []
    for number, line in enumerate((ROOT / document).read_text("utf-8").split("\n"), 1):
        fence = re.match(r"\s*```(\w*)", line)
        if fence is None:
            lines.append(line)
        elif language is None:
            language, begun, lines = fence[1], number + 1, []
        else:
            text = textwrap.dedent("\n".join(lines))
            found.append(CodeBlock(document, begun, language, text))
            language = None
    assert language is None, f"a block of {document} has no end"
    return found


def commands_of(block: CodeBlock) -> Iterator[tuple[int, str]]:
    """The commands of a shell block, with their lines; lines of comment are left out."""
    whole = ""
    begun = block.line
    for number, line in enumerate(block.text.split("\n"), block.line):
        if not whole:
            begun = number
        whole += re.sub(r"^\$ ", "", line) if not whole else line
        if whole.endswith("\\"):
            whole = whole[:-1]
            continue
        command, whole = whole.strip(), ""
        if command and not command.startswith("#"):
            yield begun, command


def bare(command: str) -> str:
    """A command without the comment behind it, which the shell passes over itself."""
    return re.sub(r"\s+#\s[^'\"]*$", "", command)


def why_skipped(command: str) -> str:
    """Why a command is not run; empty when it is."""
    return next((why for pattern, why in SKIPPED if re.search(pattern, bare(command))), "")


def mapped(command: str) -> str:
    """A command with something of our own where the reader's stands."""
    for pattern, replacement in MAPPED:
        command = re.sub(pattern, replacement, command)
    return command


def right_codes(command: str) -> set[int]:
    """The exit codes that a command may end with."""
    codes = {0}
    for pattern, more, _ in MAY_FAIL:
        if re.search(pattern, bare(command)):
            codes |= more
    return codes


class Desk:
    """A reader's machine: a home, a folder with files, the program, and providers nearby."""

    def __init__(self, folder: Path, addresses: dict[str, str]) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        home, programs = folder / "home", folder / "bin"
        home.mkdir()
        programs.mkdir()
        self._write_config(home, addresses)
        program = programs / "batchdeck"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tui "$@"\n')
        program.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not re.search(r"^BATCHDECK_|_API_KEY$", k)}
        self.environment = {
            **kept,
            **{f"{name.upper()}_API_KEY": "sk-documents-1" for name in PROVIDERS},
            "BATCHDECK_HOME": str(home),
            "BATCHDECK_SANDBOX_ROWS_PER_SECOND": "0",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
        }

    def _write_config(self, home: Path, addresses: dict[str, str]) -> None:
        tables = [
            f'[accounts.{name}]\nprovider = "{name}"\nbase_url = "{url}"\n'
            f'[providers.{name}]\nbase = "{name}"\n'
            "poll = { min_seconds = 0.05, max_seconds = 0.2 }\n"
            for name, url in addresses.items()
        ]
        (home / "config.toml").write_text("\n".join(tables))

    def lay_out(self) -> None:
        """Put the files there that documents speak of."""
        texts = ["Good, and on time.", "Broke. sandbox:flaky=500", "Fine.", "sandbox:truncate"]
        (self.folder / "reviews.csv").write_text(
            "id,text\n" + "".join(f'r{n},"{text}"\n' for n, text in enumerate(texts))
        )
        for name in ("reviews.jsonl", "requests.jsonl", "rows.jsonl"):
            rows = (json.dumps(_chat(f"r{n}", text)) + "\n" for n, text in enumerate(texts))
            (self.folder / name).write_text("".join(rows))
        (self.folder / "notes.txt").write_text("One note.\n\nAnother one.\n")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run something to its end."""
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True,
            check=False, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a shell does, without anybody to answer questions."""
        return self.run("sh", "-c", command)

    def python(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a script."""
        return self.run(sys.executable, "-W", "error", "-c", text)


def _chat(custom_id: str, text: str) -> dict[str, Any]:
    body = {
        "model": "gpt-5-mini",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": text}],
    }
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """A desk with a sandbox for each provider that the documents name, while the block runs."""
    with ExitStack() as stack:
        addresses = {name: stack.enter_context(sandbox(name)).url for name in PROVIDERS}
        yield Desk(folder, addresses)


def docstring_examples(module: Any) -> list[tuple[str, str]]:
    """The indented pieces of Python in a module's docstrings, each with whose it is."""
    source = inspect.getsource(module)
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        name = getattr(node, "name", module.__name__)
        for piece in _indented(ast.get_docstring(node) or ""):
            found.append((name, piece))
    return found


def _indented(docstring: str) -> Iterator[str]:
    """Runs of lines that are indented after a blank one, outside of Google's sections."""
    body = re.split(r"^(?:Args|Returns|Raises|Attributes|Yields):$", docstring, flags=re.M)[0]
    for piece in re.findall(r"(?:^|\n)\n((?:(?: {4}.*)?(?:\n|$))+)", body):
        text = textwrap.dedent(piece).strip("\n")
        if text.strip():
            yield text


def as_script(example: str) -> str:
    """An example as a script of its own."""
    if re.search(r"^(async with|await) |= await ", example, re.M):
        body = textwrap.indent(example, "    ")
        return f"{PRELUDE}async def main():\n{body}\nasyncio.run(main())"
    return PRELUDE + example
