"""Runs rows of a batch again in place, as Doubleword does: a new plan replaces the old one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

import msgspec

from . import fates, words
from .desk import Desk
from .fates import Fate
from .planfile import Plan, PlanWriter
from .shape import Row, mark
from .state import StoredBatch

_SLOW_SECONDS = 10.0
_SIZES = ("out_end", "err_end", "unrun_end", "tokens_in", "tokens_out", "failed")


@dataclass(slots=True)
class _Again:
    row: Row
    fate: Fate


def retry(desk: Desk, batch: StoredBatch, wanted: Callable[[int], bool]) -> int:
    """Queue failed and cancelled rows of a batch again.

    Rows that succeeded keep their place, and the old plan stays for readers that are under way.
    The batch is no longer cancelled, and goes on from now.

    Args:
        desk: The sandbox.
        batch: The batch; its plan, cancel and attempt are changed.
        wanted: Says of a failed row, by its input position, whether it runs again.

    Returns:
        How many rows run again.
    """
    plan = desk.plan_of(batch)
    if plan is None:
        return 0
    now = desk.now() - batch.created
    view = desk.view(batch)
    attempt = int(batch.extra.get("attempt", 1)) + 1
    kept: list[tuple[float, int]] = []
    again: list[int] = []
    for place in range(plan.rows):
        if place < view.done:
            good = _FATES[plan.fate[place]] in fates.GOOD
            if good or not wanted(plan.index[place]):
                kept.append((plan.finish[place], place))
            else:
                again.append(place)
        elif batch.cancel is not None:
            again.append(place)
        else:
            kept.append((plan.finish[place], place))
    if not again:
        return 0
    rate = batch.rate
    timed = [(now + ((n + 1) / rate if rate else 0.0), place) for n, place in enumerate(again)]
    writer = PlanWriter()
    handle = os.open(desk.lines_of(batch), os.O_RDONLY)
    try:
        rows = {place: _read(desk, batch, plan, handle, place, attempt) for place in again}
        order = sorted(
            kept
            + [
                (when + (_SLOW_SECONDS if rows[place].row.words.slow else 0.0), place)
                for when, place in timed
            ]
        )
        for finish, place in order:
            if place in rows:
                _write(desk, batch, plan, writer, rows[place], place, finish)
            else:
                _copy(plan, writer, place)
    finally:
        os.close(handle)
    batch.generation += 1
    writer.save(desk.plan_path(batch))
    desk.state.change(
        batch,
        generation=batch.generation,
        cancel=None,
        extra={**batch.extra, "attempt": attempt},
    )
    return len(again)


_FATES = {int(fate): fate for fate in Fate}


def _read(
    desk: Desk, batch: StoredBatch, plan: Plan, handle: int, place: int, attempt: int
) -> _Again:
    raw = os.pread(handle, plan.length[place], plan.offset[place])
    entry = msgspec.json.decode(raw)
    body = entry.get(desk.shape.body_key)
    found = words.read_line(raw, body)
    url = str(entry.get("url") or batch.endpoint)
    seed = f"{batch.seed}:{batch.number}:{attempt}:{entry['custom_id']}"
    fate = fates.decide(
        found,
        first_send=False,
        chance=crc32(seed.encode()),
        fail_rate=desk.options.fail_rate,
        valid=not desk.shape.fault(url, body, batch.extra),
    )
    index = plan.index[place]
    own = mark(batch.id, index)
    row = Row(entry["custom_id"], url, body, index, fate, found, own, 0, batch.seed, batch.extra)
    return _Again(row, fate)


def _write(
    desk: Desk, batch: StoredBatch, plan: Plan, writer: PlanWriter, again: _Again, place: int,
    finish: float,
) -> None:  # fmt: skip
    again.row.when = int(batch.created + finish)
    made = desk.shape.render(again.row)
    size = len(made.line) + 1
    writer.add(
        finish=finish,
        offset=plan.offset[place],
        length=plan.length[place],
        index=plan.index[place],
        fate=again.fate,
        out_bytes=0 if made.in_errors else size,
        err_bytes=size if made.in_errors else 0,
        tokens_in=made.tokens_in,
        tokens_out=made.tokens_out,
        failed=again.fate not in fates.GOOD,
    )


def _copy(plan: Plan, writer: PlanWriter, place: int) -> None:
    out, err, unrun, spent, made, failed = (
        plan.total(name, place + 1) - plan.total(name, place) for name in _SIZES
    )
    writer.add(
        finish=plan.finish[place],
        offset=plan.offset[place],
        length=plan.length[place],
        index=plan.index[place],
        fate=plan.fate[place],
        out_bytes=out,
        err_bytes=err,
        unrun_bytes=unrun,
        tokens_in=spent,
        tokens_out=made,
        failed=bool(failed),
    )
