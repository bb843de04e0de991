"""Where a batch is, derived from the clock alone."""

from __future__ import annotations

from dataclasses import dataclass

from .planfile import Plan

STAGE_SECONDS = 0.5
"""Length of validating, finalizing and cancelling, unless the rate is 0 (at once)."""
TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})
"""Statuses that a batch does not leave by itself."""


@dataclass(frozen=True, slots=True)
class Course:
    """The facts that the progress of a batch follows from.

    Attributes:
        created: Unix time of the create.
        rate: Rows per second; 0 is at once.
        window: Seconds after the create at which what is open expires.
        cancelled: Unix time at which a cancel was asked for, or `None`.
        broken: Whether the input was refused.
    """

    created: float
    rate: float
    window: float
    cancelled: float | None
    broken: bool


@dataclass(frozen=True, slots=True)
class View:
    """A batch at one moment.

    Attributes:
        status: The normalised status.
        total: Rows; 0 while validating.
        done: Rows that ran, good or bad; the first `done` records of the plan.
        failed: Rows of `done` that failed.
        unrun: Rows that will never run, once the batch has ended; else 0.
        moments: Unix times by name: in_progress_at, finalizing_at, completed_at and so on.
    """

    status: str
    total: int
    done: int
    failed: int
    unrun: int
    moments: dict[str, float]

    @property
    def ended(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL

    @property
    def succeeded(self) -> int:
        """Rows that ran well."""
        return self.done - self.failed


def stage(rate: float) -> float:
    """Seconds that the stages around the work take."""
    return STAGE_SECONDS if rate else 0.0


def look(course: Course, plan: Plan | None, now: float, *, fresh: bool = False) -> View:
    """Derive the view of a batch.

    Args:
        course: The facts of the batch.
        plan: Its plan; `None` for a broken batch.
        now: Unix time.
        fresh: Answer as the create does: still validating.
    """
    since = now - course.created
    pause = stage(course.rate)
    moments: dict[str, float] = {}
    cancel = None if course.cancelled is None else max(0.0, course.cancelled - course.created)
    if fresh or (since < pause and cancel is None):
        return View("validating", 0, 0, 0, 0, moments)
    if course.broken or plan is None:
        moments["failed_at"] = course.created + pause
        return View("failed", 0, 0, 0, 0, moments)
    work_end = pause if plan.end is None else plan.end
    if cancel is None or cancel > pause:
        moments["in_progress_at"] = course.created + pause
    if cancel is not None:
        done = plan.done(min(since, cancel, course.window))
        moments["cancelling_at"] = course.created + cancel
        if since < cancel + pause:
            return _view("cancelling", plan, done, moments)
        moments["cancelled_at"] = course.created + cancel + pause
        return _view("cancelled", plan, done, moments, ended=True)
    if work_end > course.window:
        if since < course.window:
            return _view("in_progress", plan, plan.done(since), moments)
        moments["expired_at"] = course.created + course.window
        return _view("expired", plan, plan.done(course.window), moments, ended=True)
    if since < work_end:
        return _view("in_progress", plan, plan.done(since), moments)
    moments["finalizing_at"] = course.created + work_end
    if since < work_end + pause:
        return _view("finalizing", plan, plan.runnable, moments)
    word = "completed" if plan.runnable == plan.rows else "expired"
    moments[f"{word}_at"] = course.created + work_end + pause
    return _view(word, plan, plan.runnable, moments, ended=True)


def _view(
    status: str, plan: Plan, done: int, moments: dict[str, float], *, ended: bool = False
) -> View:
    unrun = plan.rows - done if ended else 0
    return View(status, plan.rows, done, plan.total("failed", done), unrun, moments)
