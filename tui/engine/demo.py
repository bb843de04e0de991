"""Fill a history with demo jobs, using the real engine and the sandbox with past clocks.

Every job is imported, submitted, collected and possibly cancelled by the same code as the
user's own jobs; only the clock differs.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.samples import REVIEWS
from tui.config.settings import AccountConfig, add_account, create_config, load_config
from tui.engine.accounts import SANDBOX_URL
from tui.engine.engine import Engine
from tui.logs import LOGGER
from tui.paths import Paths, private_folder
from tui.temporary import temporary_folder

_HOUR = 3600.0
_DAY = 24 * _HOUR

_PRODUCTS = (
    "enamel camping mug", "linen desk lamp", "folding bike basket", "cast-iron skillet",
    "merino hiking socks", "oak monitor stand", "rain cover for prams", "glass water bottle",
    "cork yoga block", "wind-up radio", "felt laptop sleeve", "ceramic plant pot",
)  # fmt: skip
_OPINIONS = (
    "arrived two days early and works as described",
    "broke after a week, and nobody answers my mails",
    "is smaller than the photo makes it look, but well made",
    "was a present; my sister uses it every morning",
    "has a scratch on the left side, otherwise fine",
    "costs a bit much, though I would buy it again",
    "smells of glue, I have put it on the balcony",
)
_TOPICS = (
    "how the harbour froze in 1947", "why night trains came back", "the market hall's new roof",
    "a beekeeper's year in the city", "repairing the organ of St. Mary", "the last phone box",
)  # fmt: skip


@dataclass(frozen=True)
class _DemoJob:
    """One demo job: its requests, its age in seconds and its speed in rows per second."""

    name: str
    model: str
    rows: int
    age: float
    body: Callable[[int], dict[str, Any]]
    url: str = "/v1/chat/completions"
    rate: float = 0.0
    cancel_after: float | None = None
    running: bool = False
    account: str = "sandbox"
    tags: tuple[str, ...] = ()
    note: str = ""


def _chat(model: str, system: str, user: str, **extra: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return {"model": model, "messages": messages, **extra}


def _review(number: int) -> dict[str, Any]:
    product = _PRODUCTS[number % len(_PRODUCTS)]
    text = f"Review {number}: the {product} {_OPINIONS[number % len(_OPINIONS)]}."
    words = {
        7: "sandbox:flaky=429", 41: "sandbox:flaky=500", 77: "sandbox:fail=400",
        13: "sandbox:fail=404", 60: "sandbox:refuse", 88: "sandbox:truncate",
    }  # fmt: skip
    text += f" {words[number % 97]}" if number % 97 in words else ""
    return _chat("gpt-5-mini", "Say whether the review is good, bad or mixed, and why.", text)


def _copy(number: int) -> dict[str, Any]:
    product = _PRODUCTS[number % len(_PRODUCTS)]
    word = {5: " sandbox:truncate", 19: " sandbox:refuse"}.get(number % 41, "")
    request = f"Write two lively sentences for the shop page of our {product}.{word}"
    return _chat("gpt-5-mini", "You write plainly and never exaggerate.", request)


def _ticket(number: int) -> dict[str, Any]:
    says = _OPINIONS[number % len(_OPINIONS)]
    text = f"Ticket {number}: my {_PRODUCTS[number % len(_PRODUCTS)]} {says}. What now?"
    system = "Route the ticket: refund, repair, delivery or praise."
    return _chat("gpt-5-nano", system, text, response_format=_ROUTE)


_ROUTE: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "route",
        "strict": True,
        "schema": {
            "type": "object",
            "required": ["team", "urgency", "reason"],
            "additionalProperties": False,
            "properties": {
                "team": {"enum": ["refund", "repair", "delivery", "praise"]},
                "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
                "reason": {"type": "string"},
            },
        },
    },
}


def _summary(number: int) -> dict[str, Any]:
    word = " sandbox:expire" if number % 9 == 4 else ""
    text = f"Summarise in one sentence: {_TOPICS[number % len(_TOPICS)]}, part {number}.{word}"
    return _chat("glm-4.7", "You are a careful editor.", text, max_tokens=2000)


def _translation(number: int) -> dict[str, Any]:
    text = f"Translate into Dutch: the {_PRODUCTS[number % len(_PRODUCTS)]}, page {number}."
    return _chat("gpt-5-mini", "You translate shop pages.", text)


def _answer(number: int) -> dict[str, Any]:
    says = _OPINIONS[number % len(_OPINIONS)]
    word = {11: " sandbox:flaky=500", 23: " sandbox:refuse"}.get(number % 50, "")
    text = f"Mail {number}: my {_PRODUCTS[number % len(_PRODUCTS)]} {says}.{word}"
    return _chat("gemini-3.5-flash", "Draft a friendly reply of three sentences.", text)


def _headline(number: int) -> dict[str, Any]:
    text = f"Three headlines for part {number} of {_TOPICS[number % len(_TOPICS)]}."
    return _chat("grok-4.3", "You write for a city magazine.", text)


def _vector(number: int) -> dict[str, Any]:
    text = f"{_PRODUCTS[number % len(_PRODUCTS)]}, catalogue no. {number}"
    return {"model": "text-embedding-3-small", "input": text}


OPENAI, DOUBLEWORD = "shop-openai", "night-doubleword"
GEMINI, XAI = "mail-gemini", "press-xai"

DEMO_ACCOUNTS = {
    OPENAI: AccountConfig(provider="openai", base_url=SANDBOX_URL),
    DOUBLEWORD: AccountConfig(provider="doubleword", base_url=SANDBOX_URL),
    GEMINI: AccountConfig(provider="gemini", base_url=SANDBOX_URL),
    XAI: AccountConfig(provider="xai", base_url=SANDBOX_URL),
}
"""Accounts of paid providers that are served by the sandbox: offline, but with prices."""

_DEMO_JOBS = (
    _DemoJob(
        "ticket-routing", "gpt-5-nano", 640, 6.2 * _DAY, _ticket, account=OPENAI,
        tags=("tickets",),
    ),
    _DemoJob(
        "catalogue-vectors", "text-embedding-3-small", 240, 4.1 * _DAY, _vector,
        url="/v1/embeddings", account=OPENAI, tags=("search",),
    ),
    _DemoJob(
        "headlines", "grok-4.3", 90, 3.6 * _DAY, _headline, account=XAI, tags=("press",),
    ),
    _DemoJob(
        "mail-replies", "gemini-3.5-flash", 300, 1.7 * _DAY, _answer, account=GEMINI,
        tags=("mail",),
    ),
    _DemoJob("city-summaries", "glm-4.7", 120, 2.3 * _DAY, _summary, note="For the June issue"),
    _DemoJob(
        "shop-copy", "gpt-5-mini", 400, 1.2 * _DAY, _copy, account=OPENAI, tags=("shop",),
        note="Second prompt: plainer words",
    ),
    _DemoJob(
        "reviews-week-46", "gpt-5-mini", 1200, 5 * _HOUR, _review, account=OPENAI,
        tags=("reviews", "weekly"),
    ),
    _DemoJob(
        "ticket-routing-again", "gpt-5-nano", 500, 9 * _HOUR, _ticket, rate=20, cancel_after=12
    ),
    _DemoJob(
        "shop-pages-nl", "gpt-5-mini", 900, 23.4 * _HOUR, _translation, rate=0.009, running=True,
        account=DOUBLEWORD, tags=("shop", "nl"),
    ),
    _DemoJob(
        "reviews-week-47", "gpt-5-mini", 6000, 40, _review, rate=45, running=True, account=OPENAI,
        tags=("reviews", "weekly"),
    ),
)  # fmt: skip


async def seed_demo(paths: Paths, now: Callable[[], float] = time.time) -> None:
    """Fill an empty home with a few days of jobs; the newest ones are still running.

    Args:
        paths: The home; it must not contain a history.
        now: Returns the current time in Unix seconds.
    """
    end = now()
    if create_config(paths):
        for name, account in DEMO_ACCOUNTS.items():
            add_account(paths, name, account)
    config = load_config(paths)
    with temporary_folder("demo-seed") as folder:
        for rate, demo_jobs in itertools.groupby(_DEMO_JOBS, key=lambda demo_job: demo_job.rate):
            clock = _Clock()
            engine = await Engine.open(paths, config, clock=clock, sandbox_rate=rate)
            try:
                for demo_job in demo_jobs:
                    clock.now = end - demo_job.age
                    started = time.monotonic()
                    await _run_job(engine, clock, folder, demo_job)
                    LOGGER.info("demo: %s in %.1f s", demo_job.name, time.monotonic() - started)
            finally:
                await engine.close()


def lay_out_table(paths: Paths) -> Path:
    """Write the table of the guided first run into a home, and return its path."""
    table = private_folder(paths.data / "tour") / REVIEWS.name
    table.write_bytes(REVIEWS.read_bytes())
    return table


class _Clock:
    """A clock that is set manually and advances a little with every reading."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.05
        return self.now


async def _run_job(engine: Engine, clock: _Clock, folder: Path, demo_job: _DemoJob) -> None:
    file = folder / f"{demo_job.name}.jsonl"
    file.write_bytes(b"".join(_lines(demo_job)))
    job = await engine.requests.import_file(file, account=demo_job.account)
    await engine.annotate(job.id, tags=demo_job.tags, note=demo_job.note)
    await engine.submit(job.id)
    if demo_job.cancel_after is not None:
        clock.now += demo_job.cancel_after
        await engine.cancel(job.id)
        clock.now += 60.0
    if not demo_job.running:
        await engine.wait([job.id])


def _lines(demo_job: _DemoJob) -> Iterator[bytes]:
    prefix = demo_job.name.split("-")[0]
    for number in range(1, demo_job.rows + 1):
        request = {
            "custom_id": f"{prefix}-{number:05d}",
            "method": "POST",
            "url": demo_job.url,
            "body": demo_job.body(number),
        }
        yield msgspec.json.encode(request) + b"\n"
