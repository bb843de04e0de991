"""What past results of an account say about new requests: how long prompts and answers are."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field

from tui.store.costs import PastJob, read_past

_FEWEST = 10
"""Answers of a model from which their mean length is worth something."""

_LEAST, _MOST = 0.25, 4.0
"""How far a measured prompt may be from the rule of thumb to be believed."""


@dataclass(frozen=True)
class Calibration:
    """Measured figures by model.

    ``answers`` is the mean length of an answer in tokens. ``inputs`` is how many tokens a
    prompt really has for one that the rule of thumb counts; under ``""`` for other models.
    """

    answers: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, float] = field(default_factory=dict)


def calibrate(connection: sqlite3.Connection, account: str) -> Calibration:
    """Look at the newest jobs of an account; some ten thousand rows at the most."""
    answers: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    inputs: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for job in read_past(connection, account):
        for name, (rows, tokens, _, _) in job.models.items():
            # A provider may answer for gpt-5-mini as gpt-5-mini-2025-08-07.
            names = {name, job.model} if len(job.models) == 1 else {name}
            for known in names:
                answers[known][0] += rows
                answers[known][1] += tokens
        _add_input(inputs, job)
    return Calibration(
        answers={
            model: tokens / rows for model, (rows, tokens) in answers.items() if rows >= _FEWEST
        },
        inputs={
            model: min(max(measured / guessed, _LEAST), _MOST)
            for model, (measured, guessed) in inputs.items()
            if guessed and measured
        },
    )


def _add_input(inputs: dict[str, list[float]], job: PastJob) -> None:
    rows = sum(counts[2] for counts in job.models.values())
    tokens = sum(counts[3] for counts in job.models.values())
    if rows < _FEWEST or not job.guessed:
        return
    for model in (job.model, ""):
        inputs[model][0] += tokens / rows * job.rows
        inputs[model][1] += job.guessed
