"""One job with an answer of every kind, in a real history at a fixed moment."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.store.bench import Desk
from tests.ui.fakes import NOW
from tui.config.settings import Config
from tui.core.jobs import BatchStatus, Counts, Job, new_job_id
from tui.core.rows import ColumnsHeader, encode_columns
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.store.job_records import batch_pk, job_pk, refresh_job, update_batch
from tui.store.rows.attempts import archive_attempts
from tui.ui.app import BatchdeckApp

NAME = "every kind of answer"

SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["good", "bad"]}, "stars": {"type": "integer"}},
    "required": ["label", "stars"],
}
_FORMAT = {"type": "json_schema", "json_schema": {"name": "review", "schema": SCHEMA}}

_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(4000)).decode()

_SOURCE = (
    "Ann Baker moved from Rome to the Netherlands in May 2019, where she opened a bakery with her "
    "brother Piet. The bakery in Utrecht sells bread to Hotel Karel V; Ann still visits Rome."
)
_ENTITIES = [
    {"type": "person", "text": "Ann Baker", "confidence": 0.98, "start": 0, "end": 9},
    {"type": "city", "text": "Rome", "confidence": 0.95},
    {"type": "country", "text": "the Netherlands", "confidence": 0.91},
    {"type": "person", "text": "Piet", "confidence": 0.62},
    {"type": "city", "text": "Utrecht", "confidence": 0.97},
    {"type": "organisation", "text": "Hotel Karel V", "confidence": 0.83},
    {"type": "organisation", "text": "Bakers' Guild", "confidence": 0.31},
]
_LABELS = [
    {"name": "praise", "rubric": "The writer is pleased"},
    {"name": "complaint", "rubric": "Something is broken or late"},
    {"name": "question", "rubric": "The writer wants to know something"},
]
_SCORES = {"complaint": 0.71, "question": 0.2145, "praise": 0.0755}

_TEXT = (
    "The lamp works, and the shade is **well made**, but it arrived two days late and one of the "
    "screws was missing.\n\n1. Works as described\n2. Well made\n3. Late\n\nAll in all a good lamp."
)
_LONG = "\n".join(f"{n:05}  The quick brown fox jumps over the lazy dog." for n in range(5000))


def _said(content: Any, finish: str = "stop", **message: Any) -> dict[str, Any]:
    made = {"role": "assistant", "content": content, **message}
    return {"choices": [{"index": 0, "message": made, "finish_reason": finish}]}


def _call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    made = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": f"call_{name}", "type": "function", "function": made}


def _chat(text: str, **more: Any) -> dict[str, Any]:
    system = "Say whether the review is good, bad or mixed, and why."
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return {"model": "gpt-5-mini", "messages": messages, "max_tokens": 400, **more}


def _scaledown(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "text": _SOURCE, **more}


def _vector(step: float) -> list[float]:
    return [round((n * step) % 1.7 - 0.85, 4) for n in range(1536)]


_SAFE = {"sexual": 0.0001, "harassment": 0.0123, "hate": 0.0004, "self-harm": 0.00002}
_MODERATION = {
    "results": [
        {
            "flagged": True,
            "categories": {**dict.fromkeys(_SAFE, False), "violence": True},
            "category_scores": {**_SAFE, "violence": 0.9312},
        }
    ]
}

Kind = tuple[dict[str, Any], Any]

KINDS: dict[str, Kind] = {
    "chat": (_chat("The lamp works, but arrived late."), _said(_TEXT)),
    "tools": (
        _chat(
            "Where is my parcel 4711?", tools=[{"type": "function", "function": {"name": "track"}}]
        ),
        _said(
            None,
            "tool_calls",
            tool_calls=[
                _call("track", {"parcel": 4711, "carrier": "post"}),
                _call("notify", {"to": "ann@example.com", "when": ["sent", "delivered"]}),
            ],
        ),
    ),
    "refusal": (
        _chat("Tell me how to pick this lock."),
        _said(None, refusal="I cannot help with opening locks that may not be yours."),
    ),
    "reasoning": (
        _chat("Is 1,001 a prime?"),
        _said(
            "No: 1,001 = 7 × 11 × 13.",
            reasoning_content="I try the small primes. 2 and 3 do not divide it. 7 × 143 is 1,001, "
            "so it is not a prime.",
        ),
    ),
    "choices": (
        _chat("A name for a bakery, please.", n=3),
        {
            "choices": [
                {"message": {"content": text}, "finish_reason": reason}
                for text, reason in (
                    ("Crumb & Crust", "stop"),
                    ("The Daily Loaf", "stop"),
                    ("Knead to", "length"),
                )
            ]
        },
    ),
    "embeddings": (
        {"model": "text-embedding-3-small", "input": ["enamel camping mug", "linen desk lamp"]},
        {"data": [{"index": n, "embedding": _vector(0.37 + n / 10)} for n in range(2)]},
    ),
    "moderation": ({"model": "omni-moderation-latest", "input": "I will hurt you."}, _MODERATION),
    "image": (
        {"model": "gpt-image-1", "prompt": "A lamp on an oak table, in the evening"},
        {"data": [{"b64_json": _PNG, "revised_prompt": "A small linen lamp on a dark oak table"}]},
    ),
    "json-good": (
        _chat("The mug is great.", response_format=_FORMAT),
        _said('{"label": "good", "stars": 5}'),
    ),
    "json-bad": (
        _chat("The mug is so-so.", response_format=_FORMAT),
        _said('{"label": "mixed", "stars": "three", "why": "it leaks"}'),
    ),
    "not-json": (
        _chat("The mug leaks.", response_format=_FORMAT),
        _said("I would call this review bad: two stars."),
    ),
    "summary": (
        _scaledown("summarize", instruction="One sentence."),
        _said(
            json.dumps(
                {
                    "summary": "Ann Baker opened a bakery in Utrecht with her brother.",
                    "input_chars": len(_SOURCE),
                    "output_chars": 54,
                }
            )
        ),
    ),
    "entities": (
        _scaledown(
            "extract",
            entities={
                "person": "A person's name",
                "city": "A city",
                "country": "A country",
                "organisation": "A company or a club",
            },
        ),
        _said(json.dumps({"entities": _ENTITIES})),
    ),
    "labels": (
        _scaledown("classify", labels=_LABELS),
        _said(
            json.dumps(
                {"top_label": "complaint", "scores": _SCORES, "reasoning": "It speaks of delay."}
            )
        ),
    ),
    "truncated": (
        _chat("Tell me everything about lamps."),
        _said("A lamp is a thing that gives", "length"),
    ),
    "long": (_chat("Write 5,000 lines."), _said(_LONG)),
    "hostile": (
        _chat("Answer with [bold]markup[/bold]."),
        _said("[/red] \x1b[31mred\x1b[0m \u202eabc\u202c 🦄 字字字 [@click=app.quit]x[/]"),
    ),
}
"""Requests, and the bodies that answered them, by the id of the row."""

FAILURES: dict[str, tuple[int, str, str]] = {
    "rate-1": (429, "rate_limit_exceeded", "Rate limit reached for gpt-5-mini: limit 500, 1 used"),
    "rate-2": (429, "rate_limit_exceeded", "Rate limit reached for gpt-5-mini: limit 500, 2 used"),
    "bad-value": (400, "invalid_value", "Invalid 'temperature': 3.0 is above the maximum of 2."),
    "no-credit": (429, "insufficient_quota", "You exceeded your current quota, please check."),
    "server": (500, "server_error", "The server had an error while processing your request."),
}
"""Rows that failed: status, code and message."""

EXPIRED, MENDED, SILENT = "expired", "mended", "silent"
IDS = (*KINDS, *FAILURES, EXPIRED, MENDED, SILENT)

_MESSAGE = "The server is overloaded"


def _requests() -> Iterator[tuple[str, bytes]]:
    for id in IDS:
        body = KINDS[id][0] if id in KINDS else _chat(f"A review of the {id.replace('-', ' ')}.")
        made = {"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body}
        yield id, msgspec.json.encode(made)


def _answered(id: str, body: dict[str, Any], number: int) -> bytes:
    usage = {"prompt_tokens": 40 + 7 * number, "completion_tokens": 12 + 31 * number % 400}
    model = KINDS[id][0]["model"] if id in KINDS else "gpt-5-mini"
    value = {"model": model, "usage": usage, **body}
    return _line(id, {"status_code": 200, "body": value})


def _failed(id: str, status: int, code: str, message: str) -> bytes:
    error = {"code": code, "message": message, "type": code}
    return _line(id, {"status_code": status, "body": {"error": error}})


def _line(id: str, response: dict[str, Any] | None, error: dict[str, Any] | None = None) -> bytes:
    made = {"id": f"r-{id}", "custom_id": id, "response": response, "error": error}
    return msgspec.json.encode(made)


def make_zoo(paths: Paths) -> str:
    """Fill a home with the job, as if it had run an hour ago; the answer is its id."""
    desk = Desk(paths)
    try:
        return _filled(desk)
    finally:
        desk.history.close()


def _filled(desk: Desk) -> str:
    job = Job(
        id=new_job_id(),
        name=NAME,
        account="sandbox",
        provider="sandbox",
        endpoint="/v1/chat/completions",
        model="gpt-5-mini",
        status=BatchStatus.DRAFT,
        counts=Counts(),
        created_at=NOW - 3600,
    )
    rows = [{"product": f"product {n}", "note": f"review {n} of {id}"} for n, id in enumerate(IDS)]
    head = ColumnsHeader(columns=("product", "note"), rows=len(IDS))
    lines = (encode_columns(row, head.columns).rstrip(b"\n") for row in rows)
    made = desk.history.jobs.add(job, _requests(), columns=(head, lines))
    assert made is not None
    first = desk.batch(job.id)
    lines_of = [_answered(id, body, n) for n, (id, (_, body)) in enumerate(KINDS.items())]
    desk.results(first, lines_of)
    bad = [_failed(id, *told) for id, told in FAILURES.items()]
    bad.append(_line(EXPIRED, None, {"code": "batch_expired", "message": "The window closed."}))
    bad.append(_failed(MENDED, 503, "overloaded", _MESSAGE))
    bad += [b"\xff\xfe this is no line", _answered("nobody", _said("who?"), 3), lines_of[0]]
    desk.results(first, bad, "errors")
    _end(desk, first.id, NOW - 3600, NOW - 3000, "batch_zoo")
    second = desk.batch(job.id, [IDS.index(MENDED)], attempt=2)
    with desk.database.write() as connection:
        number = job_pk(connection, job.id)
        assert number is not None
        archive_attempts(connection, number, [IDS.index(MENDED)])
    desk.results(second, [_answered(MENDED, _said("Mended at the second attempt."), 4)])
    _end(desk, second.id, NOW - 1800, NOW - 1500, "batch_zoo_2")
    with desk.database.write() as connection:
        edits = json.dumps({"max_tokens": 800})
        connection.execute("UPDATE batches SET edits=? WHERE id=?", (edits, second.id))
    return job.id


def _end(desk: Desk, batch: str, start: float, end: float, remote_id: str) -> None:
    ended = {"status": BatchStatus.COMPLETED, "raw_status": "completed", "collected": True}
    with desk.database.write() as connection:
        told = {"submitted_at": start, "ended_at": end, "remote_id": remote_id}
        update_batch(connection, batch, {**ended, **told})
        pk, job = batch_pk(connection, batch)
        samples = [(pk, start + (end - start) * n / 20, n * n * 28 // 400) for n in range(21)]
        connection.executemany("INSERT INTO samples VALUES (?,?,?)", samples)
        refresh_job(connection, job)


def zoo_app(paths: Paths, config: Config | None = None) -> BatchdeckApp:
    """The app on the real engine, where it is always the same moment."""

    async def open_engine() -> Engine:
        return await Engine.open(paths, config or Config(), clock=lambda: NOW)

    return BatchdeckApp(paths, config or Config(), open_engine, now=lambda: NOW)
