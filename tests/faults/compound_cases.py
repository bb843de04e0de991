"""Two faults of one submit: a fault on the wire, and another thing that goes wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults import wire_acts as acts
from tests.faults.proxy import Act

LATE_SECONDS = 0.3
"""How long after a gateway's answer the provider acts, and how long its list hides a batch."""

CONFIRM_SECONDS = 1.5
"""How long the program looks for a batch before it is known not to exist."""

_UNLISTED = ("scaledown",)
_INLINE = ("anthropic", "scaledown")
LIKES = ("openai", "anthropic", "tensorzero", "melious", "doubleword", "mistral", "scaledown")


@dataclass(frozen=True)
class WireFault:
    """A fault of the proxy: where, what, how often."""

    route: str
    name: str
    act: Act
    times: int = 1


@dataclass(frozen=True)
class Trouble:
    """What happens besides, when the program reaches a step.

    ``kind`` is ``kill``, ``kill, no key`` (the first restart has none), ``disk full`` (until the
    restart), ``clock`` (it jumps by ``amount`` seconds), ``cancel`` (by another program),
    ``second program`` (which submits and watches the same) or ``wire`` (a second fault).
    """

    kind: str
    step: str = ""
    amount: float = 0.0
    wire: tuple[WireFault, ...] = ()

    def __str__(self) -> str:
        if self.wire:
            return " + ".join(f"{fault.route} {fault.name}" for fault in self.wire)
        return f"{self.kind} {self.step}{f' {self.amount:+.0f} s' if self.amount else ''}".strip()


@dataclass(frozen=True)
class Point:
    """Two faults at one provider."""

    like: str
    wire: WireFault
    trouble: Trouble

    def __str__(self) -> str:
        return f"{self.like:<10} {f'{self.wire.route} {self.wire.name}':<34} {self.trouble}"


@dataclass
class Judgement:
    """What came of a point; ``wrong`` is empty if it ended well.

    Attributes:
        struck: Which of the two faults happened.
        created: How many batches were made for the job.
        seconds: How long it took.
    """

    wrong: list[str] = field(default_factory=list)
    struck: set[str] = field(default_factory=set)
    created: int = 0
    seconds: float = 0.0

    @property
    def is_compound(self) -> bool:
        """Whether both faults happened."""
        return self.struck == {"wire", "trouble"}


def _hide_new(head: bytes, body: bytes) -> bytes:
    """A list that shows nothing yet."""
    value = json.loads(acts.dechunked(head, body))
    value["data"] = []
    value.update(has_more=False, first_id=None, last_id=None)
    plain = acts.without_length(head)
    raw = json.dumps(value).encode()
    return plain + f"\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw


_PAGE = '{"detail": "Please sign in"}'

WIRE = (
    WireFault("upload", "answer lost", acts.cut_answer("nothing")),
    WireFault("upload", "502 after acting", acts.acted_but(502, acts.PAGE, "text/html")),
    WireFault("upload", "429", acts.answer(429, Retry_After="0")),
    WireFault("create", "answer lost", acts.cut_answer("nothing")),
    WireFault("create", "answer cut at half", acts.cut_answer("half")),
    WireFault("create", "504 after acting", acts.acted_but(504, acts.PAGE, "text/html")),
    WireFault("create", "504, acts late", acts.acts_late(504, LATE_SECONDS)),
    WireFault("create", "503, nothing done", acts.answer(503)),
    WireFault("create", "503 twice", acts.answer(503), 2),
    WireFault("create", "429", acts.answer(429, Retry_After="0")),
    WireFault("create", "200 without an id", acts.acted_but(200, _PAGE)),
    WireFault("poll", "answer lost", acts.cut_answer("nothing")),
    WireFault("poll", "404", acts.answer(404, _PAGE)),
    WireFault("poll", "200 with a page", acts.answer(200, acts.PAGE, "text/html")),
    WireFault("content", "answer cut at half", acts.cut_answer("half")),
    WireFault("content", "200 with a page", acts.answer(200, acts.PAGE, "text/html")),
    WireFault("content", "500 twice", acts.answer(500), 2),
)

_LISTS = (
    WireFault("list", "503", acts.answer(503), 2),
    WireFault("list", "answer cut at half", acts.cut_answer("half"), 2),
    WireFault("list", "shows nothing yet", acts.rewritten(_hide_new), 3),
)
_KILLS = (
    "uploading", "upload answered", "uploaded", "creating", "create answered", "running",
    "polled", "downloading", "downloaded", "collected", "settled",
)  # fmt: skip
_DAY = 86_400.0

TROUBLES = (
    *(Trouble("kill", step) for step in _KILLS),
    *(Trouble("kill, no key", step) for step in ("uploaded", "creating", "create answered")),
    *(
        Trouble("disk full", step)
        for step in ("uploading", "upload answered", "creating", "create answered", "downloading")
    ),
    *(
        Trouble("clock", step, amount)
        for step in ("creating", "create answered")
        for amount in (-_DAY, 400 * _DAY)
    ),
    *(Trouble("cancel", step) for step in ("uploaded", "creating", "create answered", "running")),
    Trouble("second program"),
    *(Trouble("wire", wire=(fault,)) for fault in (*WIRE, *_LISTS)),
)


def points(*, every_provider: bool = False) -> Iterator[Point]:
    """The product, each point with one provider in turn, or with every one."""
    turn = 0
    for wire in WIRE:
        for trouble in TROUBLES:
            fitting = [like for like in LIKES if _fits(like, wire, trouble)]
            turn += 1
            yield from (
                Point(like, wire, trouble)
                for like in (fitting if every_provider else [fitting[turn % len(fitting)]])
            )


def _fits(like: str, wire: WireFault, trouble: Trouble) -> bool:
    """Whether both faults can happen at a provider."""
    routes = {wire.route, *(fault.route for fault in trouble.wire)}
    if like in _INLINE and ("upload" in routes or trouble.step.startswith("upload")):
        return False
    if like in _UNLISTED and ("list" in routes or trouble.kind == "cancel"):
        return False
    return not (like in _UNLISTED and "content" in routes)
