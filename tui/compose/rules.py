"""What the account's provider refuses in a body, needs in it, and calls its models."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from tui.compose.limits import Limits
from tui.compose.report import ProblemCode
from tui.core.refusals import found_at
from tui.core.text import quoted

Fault = tuple[ProblemCode, str, str]
"""A code, what is wrong, and how to mend it."""


class Rules:
    """The rules of one provider, ready for many rows.

    Args:
        limits: They hold the rules.
    """

    def __init__(self, limits: Limits) -> None:
        self._models = limits.models
        self._refusals = [(rule, re.compile(rule.models).fullmatch) for rule in limits.refuses]
        self._needs = [(rule, re.compile(rule.models).fullmatch) for rule in limits.needs]

    def faults(self, body: dict[str, Any], model: str | None) -> Iterator[Fault]:
        """Everything in a body that breaks a rule."""
        name = model or ""
        if self._models and model is not None and model not in self._models:
            near = difflib.get_close_matches(model, self._models, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            yield (
                "unknown_model",
                f"the provider has no model {quoted(model)}",
                f"{hint}There are: {', '.join(self._models)}.",
            )
        for refusal, applies in self._refusals:
            if refusal.models and not applies(name):
                continue
            for path in refusal.fields:
                for value in found_at(body, path):
                    if not refusal.values or _is_one_of(value, refusal.values):
                        said = f" is {quoted(str(value), 20)}, which" if refusal.values else ""
                        yield (
                            "refused_field",
                            f'"{path}"{said} {refusal.why}',
                            f'Change "{path}".' if refusal.values else f'Remove "{path}".',
                        )
                        break
        for need, applies in self._needs:
            if need.models and not applies(name):
                continue
            if not any(any(True for _ in found_at(body, path)) for path in need.fields):
                yield (
                    "missing_field",
                    f'no "{need.fields[0]}": {need.why}',
                    f'Set "{need.fields[0]}" in the body.',
                )


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    """Is it there with the same type? To Python, ``False`` is 0."""
    return any(value == one and type(value) is type(one) for one in values)


def applies_to(models: str, model: str | None) -> bool:
    """Does a rule for these models hold for one? For an unknown one (``None``), it may."""
    return not models or model is None or re.fullmatch(models, model) is not None


def top_of(path: str) -> str:
    """The field of the body itself that a path begins with."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]
