"""A history to look around in: made by the real engine and the sandbox, on past clocks.

Nothing is painted on: every job is imported, submitted, collected and, where it says so,
cancelled or retried through the same code as a person's own, only at another time.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tui.config import AccountConfig, add_account, load_config
from tui.configstart import write_first_config
from tui.engine.accounts import HERE
from tui.engine.engine import Engine
from tui.paths import Paths

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
class _Story:
    """One job of the demo: what is in it, when it was sent, at which speed."""

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
    return _chat("gpt-5-nano", "Route the ticket: refund, repair, delivery or praise.", text)


def _summary(number: int) -> dict[str, Any]:
    word = " sandbox:expire" if number % 9 == 4 else ""
    text = f"Summarise in one sentence: {_TOPICS[number % len(_TOPICS)]}, part {number}.{word}"
    return _chat("glm-4.7", "You are a careful editor.", text, max_tokens=2000)


def _translation(number: int) -> dict[str, Any]:
    text = f"Translate into Dutch: the {_PRODUCTS[number % len(_PRODUCTS)]}, page {number}."
    return _chat("gpt-5-mini", "You translate shop pages.", text)


def _vector(number: int) -> dict[str, Any]:
    text = f"{_PRODUCTS[number % len(_PRODUCTS)]}, catalogue no. {number}"
    return {"model": "text-embedding-3-small", "input": text}


OPENAI, DOUBLEWORD = "shop-openai", "night-doubleword"

DEMO_ACCOUNTS = {
    OPENAI: AccountConfig(provider="openai", base_url=HERE),
    DOUBLEWORD: AccountConfig(provider="doubleword", base_url=HERE),
}
"""Accounts of providers that cost money, rehearsed with the sandbox: offline, with prices."""

_STORIES = (
    _Story(
        "ticket-routing", "gpt-5-nano", 640, 6.2 * _DAY, _ticket, account=OPENAI,
        tags=("tickets",),
    ),
    _Story(
        "catalogue-vectors", "text-embedding-3-small", 240, 4.1 * _DAY, _vector,
        url="/v1/embeddings", account=OPENAI, tags=("search",),
    ),
    _Story("city-summaries", "glm-4.7", 120, 2.3 * _DAY, _summary, note="For the June issue"),
    _Story(
        "shop-copy", "gpt-5-mini", 400, 1.2 * _DAY, _copy, account=OPENAI, tags=("shop",),
        note="Second prompt: plainer words",
    ),
    _Story(
        "reviews-week-46", "gpt-5-mini", 1200, 5 * _HOUR, _review, account=OPENAI,
        tags=("reviews", "weekly"),
    ),
    _Story(
        "ticket-routing-again", "gpt-5-nano", 500, 9 * _HOUR, _ticket, rate=20, cancel_after=12
    ),
    _Story(
        "shop-pages-nl", "gpt-5-mini", 900, 23.4 * _HOUR, _translation, rate=0.009, running=True,
        account=DOUBLEWORD, tags=("shop", "nl"),
    ),
    _Story(
        "reviews-week-47", "gpt-5-mini", 6000, 40, _review, rate=45, running=True, account=OPENAI,
        tags=("reviews", "weekly"),
    ),
)  # fmt: skip


async def seed_demo(paths: Paths, now: Callable[[], float] = time.time) -> None:
    """Fill an empty home with a few days of work; the newest job still runs.

    Args:
        paths: The home; it must hold no history.
        now: Unix seconds, the end of the story.
    """
    end = now()
    if write_first_config(paths):
        for name, account in DEMO_ACCOUNTS.items():
            add_account(paths, name, account)
    config = load_config(paths)
    with tempfile.TemporaryDirectory(prefix="batchdeck-demo-") as folder:
        for rate, stories in itertools.groupby(_STORIES, key=lambda story: story.rate):
            clock = _Clock()
            engine = await Engine.open(paths, config, clock=clock, sandbox_rate=rate)
            try:
                for story in stories:
                    clock.now = end - story.age
                    await _live(engine, clock, Path(folder), story)
            finally:
                await engine.close()


class _Clock:
    """A clock that is set by hand and goes on a little with every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.05
        return self.now


async def _live(engine: Engine, clock: _Clock, folder: Path, story: _Story) -> None:
    file = folder / f"{story.name}.jsonl"
    file.write_bytes(b"".join(_lines(story)))
    job = await engine.import_file(file, account=story.account)
    await engine.annotate(job.id, tags=story.tags, note=story.note)
    await engine.submit(job.id)
    if story.cancel_after is not None:
        clock.now += story.cancel_after
        await engine.cancel(job.id)
        clock.now += 60.0
    if not story.running:
        await engine.wait([job.id])


def _lines(story: _Story) -> Iterator[bytes]:
    prefix = story.name.split("-")[0]
    for number in range(1, story.rows + 1):
        request = {
            "custom_id": f"{prefix}-{number:05d}",
            "method": "POST",
            "url": story.url,
            "body": story.body(number),
        }
        yield msgspec.json.encode(request) + b"\n"
