"""Submit, watch, read and send again, against servers that do just what the documents say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, environment, home, run  # noqa: F401
from tests.end_to_end.seeds.providers import Anthropic, Doubleword, Melious, ScaleDown, TensorZero
from tests.end_to_end.seeds.servers import Shop

ROWS = 30
FLAKY, BAD = 3, 2


def text_of(number: int) -> str:
    word = "flaky" if number % 10 == 4 else "bad" if number in (7, 21) else ""
    return f"What is {number}? {word}".strip()


def chat(number: int) -> dict[str, Any]:
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": text_of(number)}]}
    return wrapped(number, body)


def params(number: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": text_of(number)}]
    body = {"model": "claude-opus-4-6", "max_tokens": 1024, "messages": messages}
    return {"custom_id": f"row-{number}", "params": body}


def mixed(number: int) -> dict[str, Any]:
    label = {"name": "refund", "rubric": "Asks for money back?"}
    bodies: list[dict[str, Any]] = [
        {"model": "summarize", "text": text_of(number), "max_tokens": 20048},
        {"model": "extract", "text": text_of(number), "entities": {"person": "A name"}},
        {"model": "classify", "text": text_of(number), "labels": [label, label | {"name": "b"}]},
    ]
    return wrapped(number, bodies[number % 3])


def wrapped(number: int, body: dict[str, Any]) -> dict[str, Any]:
    row = {"custom_id": f"row-{number}", "method": "POST", "url": "/v1/chat/completions"}
    return {**row, "body": body}


SYSTEMS: dict[str, tuple[type[Shop], Callable[[int], dict[str, Any]], str]] = {
    "scaledown": (ScaleDown, mixed, "/v1/batches"),
    "melious": (Melious, chat, "/v1/batches"),
    "doubleword": (Doubleword, chat, "/v1/batches"),
    "anthropic": (Anthropic, params, "/v1/messages/batches"),
    "tensorzero": (TensorZero, chat, "/v1/batches"),
}


def set_up(home: Path, provider: str, url: str) -> None:  # noqa: F811
    home.mkdir(mode=0o700)
    base = url if provider in ("anthropic", "scaledown") else f"{url}/v1"
    (home / "config.toml").write_text(
        f'default_account = "there"\n[accounts.there]\nprovider = "{provider}"\n'
        f'base_url = "{base}"\n[providers.{provider}.poll]\nmin_seconds = 0.02\n'
        "max_seconds = 0.05\ngrace_404_seconds = 2\nconfirm_seconds = 0.1\n",
        "utf-8",
    )


def written(path: Path, make: Callable[[int], dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(make(n)) + "\n" for n in range(ROWS)), "utf-8")
    return path


@pytest.mark.parametrize("odd", [False, True], ids=["as written", "odd"])
@pytest.mark.parametrize("provider", SYSTEMS)
def test_the_whole_loop(
    provider: str,
    odd: bool,
    run: Run,  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind, make, creates = SYSTEMS[provider]
    shop = kind(odd=odd)
    monkeypatch.setenv("BATCHDECK_KEY_THERE", shop.key)
    path = written(tmp_path / "rows.jsonl", make)
    with shop.open() as url:
        set_up(home, provider, url)
        sent = run("submit", path, "--json")
        assert sent.code == 0, sent.err
        job_id = sent.document["id"]
        done = run("watch", job_id, "--json")
        assert done.code == 1, done.err
        counts = done.document["counts"]
        lost = counts["failed"] + counts["expired"]
        assert (counts["succeeded"], lost) == (ROWS - FLAKY - BAD, FLAKY + BAD)
        assert counts["pending"] == counts["missing"] == 0
        rows = {row["custom_id"]: row for row in run("results", job_id).rows}
        assert len(rows) == ROWS
        told = rows["row-0"]["data"] if provider == "scaledown" else rows["row-0"]["text"]
        assert "Answer for row-0" in json.dumps(told)
        if provider == "scaledown":
            assert rows["row-1"]["data"]["entities"][0]["text"] == "Ada"
            assert rows["row-2"]["data"]["top_label"] == "refund"
        assert "It is bad" in rows["row-7"]["error"]["message"]

        every = ("--all",) if provider in ("scaledown", "tensorzero") else ()
        again = run("retry", job_id, "--wait", "--json", *every)
        assert again.code == 1, again.err
        counts = again.document["counts"]
        assert (counts["succeeded"], counts["failed"]) == (ROWS - BAD, BAD)
        assert counts["total"] == ROWS and counts["pending"] == 0
        assert shop.count("POST", creates) == 2
        strays = again.document["strays"]
        assert strays == {"unknown": 0, "duplicate": 0, "unreadable": 0}


def test_a_create_without_a_batch_id_is_not_repeated(
    run: Run,  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = ScaleDown()
    shop.nameless = True
    monkeypatch.setenv("BATCHDECK_KEY_THERE", shop.key)
    path = written(tmp_path / "rows.jsonl", mixed)
    with shop.open() as url:
        set_up(home, "scaledown", url)
        sent = run("submit", path)
        assert sent.code == 3 and "may or may not" in sent.err
        (job,) = run("list", "--json").document
        assert job["batches"][0]["submission"] == "uncertain"
        assert run("submit", job["id"], "--yes").code == 3
        assert shop.count("POST", "/v1/batches") == 1
        shop.nameless = False
        assert run("submit", job["id"], "--yes", "--resend", "--wait").code == 1
        assert shop.count("POST", "/v1/batches") == 2


@pytest.mark.parametrize(
    ("lists", "certain"), [("", False), ("bare", False), ("metadata", True), ("file", True)]
)
def test_an_unconfirmed_create_is_found_in_the_list_or_left_to_the_user(
    lists: str,
    certain: bool,
    run: Run,  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = TensorZero()
    shop.nameless, shop.lists = True, lists
    monkeypatch.setenv("BATCHDECK_KEY_THERE", shop.key)
    monkeypatch.setattr("tui.engine.batches.recovery._FIRST_LOOKS", (0.0, 0.0))
    path = written(tmp_path / "rows.jsonl", chat)
    with shop.open() as url:
        set_up(home, "tensorzero", url)
        sent = run("submit", path, "--wait")
        assert shop.count("POST", "/v1/batches") == 1
        (job,) = run("list", "--json").document
        if certain:
            assert sent.code == 1, sent.err
            assert job["counts"]["succeeded"] == ROWS - FLAKY - BAD
            return
        assert sent.code == 3 and "may or may not" in sent.err, sent.err
        assert job["batches"][0]["submission"] == "uncertain"
        assert run("submit", job["id"], "--yes").code == 3
        assert shop.count("POST", "/v1/batches") == 1
