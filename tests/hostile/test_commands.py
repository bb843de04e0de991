"""Hostile text through the whole program on a terminal: file, provider and results."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.faults.commands import Commands
from tests.hostile.corpus import ESCAPES, FORMULAS, HIDING, MARKUP, TEXTS, raw_in
from tests.store.bench import Desk, line
from tui.core.rows import Outcome
from tui.core.text import visible
from tui.paths import Paths

pytestmark = pytest.mark.long

WIDTH, HEIGHT = 220, 400


@dataclass(frozen=True)
class Shown:
    """What a command wrote to a terminal, and what the screen then shows."""

    code: int | None
    raw: str
    lines: list[str]


Terminal = Callable[..., Shown]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Run the program in a terminal."""
    environment = {
        # The size is that of the terminal, whatever a test runner puts here.
        **{name: os.environ[name] for name in os.environ if name not in ("COLUMNS", "LINES")},
        "BATCHDECK_HOME": str(tmp_path / "home"),
        "BATCHDECK_SANDBOX_ROWS_PER_SECOND": "0",
        "TERM": "xterm-256color",
        "PYTHONWARNINGS": "error",
    }

    def run(*words: str | Path) -> Shown:
        raw = b""
        child = pexpect.spawn(
            sys.executable,
            ["-m", "tui", *map(str, words)],
            env=environment,
            dimensions=(HEIGHT, WIDTH),
            timeout=60,
            cwd=str(tmp_path),
        )
        child.expect(pexpect.EOF)
        raw = child.before
        child.close()
        text = raw.decode("utf-8", "surrogateescape")
        screen = pyte.Screen(WIDTH, HEIGHT)
        pyte.Stream(screen).feed(text)
        return Shown(child.exitstatus, text, [one.rstrip() for one in screen.display])

    yield run


def escaped(text: str) -> str:
    """A text escaped for `sandbox:say=`."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def hostile_file(path: Path) -> Path:
    """Requests whose ids, questions, models and answers are hostile."""
    with path.open("w", encoding="utf-8") as stream:
        for name, text in TEXTS.items():
            content = f"sandbox:say={escaped(text)}"
            request = {
                "custom_id": f"{name} {text}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {
                    "model": "gpt-4\x1b]52;c;eA==\x07[bold]",
                    "messages": [{"role": "user", "content": content}],
                },
            }
            stream.write(json.dumps(request) + "\n")
    return path


def test_a_hostile_file_goes_through_and_comes_back(terminal: Terminal, tmp_path: Path) -> None:
    name = "evil\x1b]0;owned\x07\u202e[red].jsonl"
    file = hostile_file(tmp_path / name)
    sent = terminal("submit", file, "--wait", "--fix")
    assert sent.code == 0, sent.raw
    home = Paths.find(tmp_path / "home")
    said: dict[str | Path, Shown] = {}
    for words in (
        ["check", file],
        ["check", file, "--json"],
        ["list"],
        ["list", "--json"],
        ["list", "--search", "\x1b]52;c;AAAA\x07"],
        ["show", "evil\x1b]0;owned\x07\u202e[red]"],
        ["show", "no such \x1b[2Jjob\u202e"],
        ["results", "evil\x1b]0;owned\x07\u202e[red]"],
        ["results", "evil\x1b]0;owned\x07\u202e[red]", "--search", "\x1b[31"],
        ["export", "evil\x1b]0;owned\x07\u202e[red]", "-o", f"{tmp_path}/\x1b[2Jx.jsonl"],
        ["export", "evil\x1b]0;owned\x07\u202e[red]", "-o", f"{tmp_path}/\x1b[2Jx.csv"],
        ["doctor"],
    ):
        shown = terminal(*words)
        assert raw_in(shown.raw) == [], words
        assert "Traceback" not in shown.raw
        said.setdefault(words[0], shown)
    assert raw_in(sent.raw) == []
    assert home.history_db.exists()
    shown_name = visible("evil\x1b]0;owned\x07\u202e[red]")
    for verb in ("list", "show"):
        assert any(shown_name in one for one in said[verb].lines), (shown_name, said[verb].lines)
    rows = [json.loads(one) for one in said["results"].raw.splitlines() if one.startswith("{")]
    assert rows

    exported = (tmp_path / "\x1b[2Jx.jsonl").read_bytes().split(b"\n")
    answers = {
        row["custom_id"].removesuffix(f" {row['text']}"): row["text"]
        for row in map(json.loads, filter(None, exported))
    }
    assert answers == TEXTS


def test_csv_cells_are_not_formulas(terminal: Terminal, tmp_path: Path) -> None:
    file = hostile_file(tmp_path / "r.jsonl")
    assert terminal("submit", file, "--wait", "--fix").code == 0
    assert terminal("export", "r", "-o", tmp_path / "r.csv").code == 0
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(TEXTS)
    for row, text in zip(rows, TEXTS.values(), strict=True):
        for cell in row.values():
            assert not re.match(r"[=+\-@\t\r\n＝＋－＠]", cell), cell
        assert row["text"] in (text, f"'{text}")


@pytest.fixture
def job(tmp_path: Path) -> str:
    """A job whose provider, model and errors are hostile; nothing of it was sent."""
    desk = Desk(Paths.find(tmp_path / "home").ensure())
    ids = [f"{name} {text}" for name, text in TEXTS.items()]
    job = desk.job(ids, name="\x1b[2J\u202eevil [red]\x9b31m", text="\x1b]52;c;AAAA\x07")
    desk.results(
        desk.batch(job),
        [line(i, Outcome.FAILED, text) for i, text in zip(ids, TEXTS.values(), strict=True)],
    )
    with desk.database.write() as connection:
        connection.execute(
            "UPDATE jobs SET model=:x, trouble=:x, provider=:x", {"x": ESCAPES["clipboard"]}
        )
        connection.execute(
            "UPDATE batches SET raw_status=:x, trouble=:x, remote_id=:x",
            {"x": ESCAPES["title"] + HIDING["bidi"]},
        )
        connection.execute("UPDATE timeline SET what=?", (ESCAPES["link"] + MARKUP["rich"],))
    desk.history.close()
    return job


def test_errors_of_a_hostile_provider_are_shown_as_text(terminal: Terminal, job: str) -> None:
    for words in (["list"], ["show", job], ["results", job], ["results", job, "--code", "\x1b[1m"]):
        shown = terminal(*words)
        assert raw_in(shown.raw) == [], words
        assert shown.code == 0, shown.raw
    story = terminal("show", job)
    seen = "\n".join(story.lines)
    assert visible("\x1b[2J\u202eevil [red]\x9b31m") in seen
    assert "[bold red]x[/bold red]" in seen
    assert r"\x1b]52;c;" in seen
    # Every error group that is shown is one line with what it says, and nothing of it is lost
    # but its end.
    for text in (MARKUP["textual"], FORMULAS["equals"], ESCAPES["colour"]):
        assert visible(text)[:12] in seen, text


@pytest.mark.parametrize("word", ["\x1b]52;c;AAAA\x07\u202ex", "\udcff"])
def test_hostile_arguments_are_shown_as_text(word: str, terminal: Terminal) -> None:
    for words in (
        ["show", word],
        ["submit", word],
        ["accounts", "add", word, "--provider", word],
        ["submit", "x.jsonl", "--account", word],
        ["retry", word, "--set", word],
        [word],
    ):
        shown = terminal(*words)
        assert shown.code not in (0, None)
        assert raw_in(shown.raw) == [], words
        assert "Traceback" not in shown.raw


def test_unusual_json_is_read_kept_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON that decoders disagree on must not crash; its bytes are kept."""
    commands = Commands(tmp_path / "home", monkeypatch)
    deep = "[" * 100_000 + "]" * 100_000
    head = b'{"id":"r","response":{"status_code":200,"body":{"model":"m","choices":[{"message":'
    tail = b',"finish_reason":"stop"}]}},"error":null,'

    def answered(custom_id: str, message: bytes, extra: bytes = b"") -> bytes:
        return head + message + tail + extra + b'"custom_id":"' + custom_id.encode() + b'"}'

    lines = {
        "long": answered("long", b'{"content":"' + b"x" * 10_000_000 + b'"}'),
        "deep": answered("deep", b'{"content":"ok","extra":' + deep.encode() + b"}"),
        "deeptext": answered("deeptext", b'{"content":"' + deep.encode() + b'"}'),
        "nan": answered("nan", b'{"content":"n"}', b'"usage":{"total_tokens":NaN},'),
        "huge": answered("huge", b'{"content":"h","n":1e999999}', b'"x":' + b"9" * 5000 + b","),
        "twice": answered("twice", b'{"content":"first","content":"second"}'),
        "lone": answered("lone", rb'{"content":"\ud800 lone \udc00"}'),
        "badutf8": answered("badutf8", b'{"content":"\xff\xfe\xc3("}'),
        "nul": answered("nul", rb'{"content":"a\u0000b"}'),
    }
    desk = Desk(Paths.find(tmp_path / "home").ensure())
    job = desk.job(list(lines), name="odd")
    batch = desk.batch(job)
    desk.results(batch, lines.values())
    file = desk.file(batch).path
    counts = desk.adds_up(job)
    # A line that no reader takes is kept and counted; its row waits for the end of the batch.
    assert counts.pending == desk.history.rows.orphan_lines(job).unreadable == 1
    assert counts.succeeded == len(lines) - 1
    for seq in range(len(lines)):
        detail = desk.history.rows.get(job, seq)
        for attempt in detail.attempts:
            assert attempt.line == list(lines.values())[seq]
    desk.history.close()
    assert file.read_bytes() == b"".join(one + b"\n" for one in lines.values())
    shown = commands("show", "odd", "--json")
    assert shown.document["counts"]["succeeded"] == counts.succeeded
    rows = {row["custom_id"]: row["text"] for row in commands("results", "odd").rows}
    assert rows["long"] == "x" * 10_000_000
    assert rows["deeptext"] == deep
    assert rows["twice"] in ("first", "second")
    assert rows["nul"] == "a\x00b"
    for ending in ("jsonl", "csv"):
        out = tmp_path / f"out.{ending}"
        assert commands("export", "odd", "-o", out).code == 0
        assert out.stat().st_size > 10_000_000


@pytest.mark.parametrize(
    "text",
    [
        '{"custom_id":"a","body":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"custom_id":"a","custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{}}',
        '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"temperature":NaN}}',
        '{"custom_id":"\\ud800","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}',
        '{"custom_id":"' + "x" * 10_000_000 + '"}',
        "\x00" * 1000,
        "\ufeff[]",
        "9" * 100_000,
    ],
    ids=["deep", "twice", "nan", "lone", "long", "nul", "array", "number"],
)
def test_unusual_requests_are_reported_or_sent(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(tmp_path / "home", monkeypatch)
    file = tmp_path / "odd.jsonl"
    file.write_text(text + "\n", encoding="utf-8")
    checked = commands("check", file)
    assert checked.code in (0, 2), checked
    assert raw_in(checked.out + checked.err) == []
    sent = commands("submit", file, "--fix", "--wait", "--json")
    assert sent.code in (0, 1) or sent.is_clear_error(), sent.err[-500:]
    assert len(sent.err) < 5000
    if sent.code in (0, 1):
        job = sent.document["id"]
        assert commands("results", job).code == 0
        assert commands("export", job, "-o", tmp_path / "o.jsonl").code == 0
        again = commands("retry", job, "--all", "--wait", "--json")
        assert again.code in (0, 1) or again.is_clear_error(), again.err[-500:]
