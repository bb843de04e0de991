"""Faults of one numbered request: what becomes of it, and what else happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.faults import wire_acts as acts
from tests.faults.proxy import Act, Exchange, Proxy, route_of

LATE_SECONDS = 0.15
"""How long after a gateway's answer the provider acts."""

_DAY = 86_400.0
_PAGE = '{"detail": "Please sign in"}'
_WRITES = frozenset({"POST", "PUT"})


@dataclass(frozen=True)
class Fault:
    """A fault of a request.

    Attributes:
        name: Its name in the table.
        act: What becomes of the request; ``None`` if it is passed on.
        besides: What happens to the program meanwhile: ``killed`` (it gets no answer), ``disk``
            (the history cannot be written for a moment), ``second`` (another program does the
            same), ``twice`` (the user presses the key again).
        seconds: By how much the clock jumps.
        reads: Whether it can happen to a request that only reads.
    """

    name: str
    act: Act | None = None
    besides: str = ""
    seconds: float = 0.0
    reads: bool = False

    def fits(self, asked: str) -> bool:
        """Whether it can happen to a request, ``POST create``."""
        return self.reads or asked.split(" ")[0] in _WRITES


async def _not_sent(x: Exchange) -> None:
    await x.body()


async def _sent(x: Exchange) -> None:
    await x.act()


FAULTS = (
    Fault("lost, nothing done", acts.cut_request(0.0)),
    Fault("lost, done", acts.cut_answer("nothing"), reads=True),
    Fault("cut at half, done", acts.cut_answer("half"), reads=True),
    Fault("502, done", acts.acted_but(502, acts.PAGE, "text/html")),
    Fault("500, done", acts.acted_but(500, '{"error": {"message": "made up"}}')),
    Fault("503, nothing done", acts.answer(503), reads=True),
    Fault("504, done late", acts.acts_late(504, LATE_SECONDS)),
    Fault("429", acts.answer(429, Retry_After="0"), reads=True),
    Fault("302, done", acts.redirect(302, acted=True)),
    Fault("200 of something else, done", acts.acted_but(200, _PAGE)),
    Fault("killed before", _not_sent, "killed", reads=True),
    Fault("killed after", _sent, "killed", reads=True),
    Fault("disk full", besides="disk", reads=True),
    Fault("second program", besides="second"),
    Fault("key pressed twice", besides="twice"),
    Fault("asleep for two days, lost, done", acts.cut_answer("nothing"), seconds=2 * _DAY),
    Fault("clock a day back, lost, done", acts.cut_answer("nothing"), seconds=-_DAY),
)


@dataclass
class Numbered(Proxy):
    """Applies a fault to the n-th request since the operation began.

    Attributes:
        is_counting: Whether the operation has begun.
        in_order: Method and route of each request since.
        faults: The faults, by the number of their request.
        struck: The numbers of those that happened.
        happens: Called with a fault before its request is passed on, or in place of an answer.
    """

    is_counting: bool = False
    in_order: list[str] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    struck: list[int] = field(default_factory=list)
    happens: Callable[[Fault], Awaitable[None]] | None = None

    async def _handle(self, exchange: Exchange) -> None:
        if not self.is_counting:
            await exchange.pass_on()
            return
        number = len(self.in_order)
        method, path, _ = exchange.line.split(" ")
        route = route_of(exchange.line)
        if route == "other":
            route = path.partition("?")[0].rpartition("/")[2]
        self.in_order.append(f"{method} {route}")
        fault = self.faults.get(number)
        if fault is None or not fault.fits(self.in_order[-1]):
            await exchange.pass_on()
            return
        self.struck.append(number)
        assert self.happens is not None
        if fault.besides == "killed" and fault.act is not None:
            await fault.act(exchange)
            await self.happens(fault)
            exchange.reset()
            return
        await self.happens(fault)
        await (fault.act(exchange) if fault.act is not None else exchange.pass_on())
