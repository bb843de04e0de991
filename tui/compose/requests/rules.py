"""A provider's limits and refused fields, applied to a body."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any

from tui.compose.requests.body_checks import body_faults, too_long_input
from tui.compose.requests.report import ProblemCode, Severity
from tui.core.json_path import find
from tui.core.requests import RejectedFields, RequiredField
from tui.core.send_plans import Limits
from tui.core.text import quoted

LineValidator = Callable[[bytes], object]
"""Raises InputError for a request line that cannot be translated for a provider."""

MAX_LINE_BYTES = 10 * 1000 * 1000
"""The longest line, in bytes, when the provider documents no limit."""


class RequestLimits(Limits, frozen=True, kw_only=True):
    """The limits of one batch, and the provider's rules for its requests.

    ``splits``: a file over ``rows`` or ``bytes`` is sent as several batches instead of being
    rejected. ``models`` lists all models of the provider, if known; ``refuses`` and ``needs``
    are its rules for the fields of a body. ``check_line`` raises InputError for a line that
    cannot be translated for the provider; it is called only for rows that need translation,
    those for an endpoint other than ``/messages``, or for all with ``checks_messages``.
    ``endpoints`` are those of ``provider_name``; if ``endpoints_known``, there are no others.
    ``checks`` names rules for the inside of bodies.
    """

    splits: bool = False
    models: tuple[str, ...] = ()
    refuses: tuple[RejectedFields, ...] = ()
    needs: tuple[RequiredField, ...] = ()
    check_line: LineValidator | None = None
    checks_messages: bool = False
    provider_name: str = ""
    endpoints: tuple[str, ...] = ()
    endpoints_known: bool = False
    checks: tuple[str, ...] = ()


Violation = tuple[ProblemCode, str, str, Severity]
"""A problem code, what is wrong, how to fix it, and how serious it is."""


class ProviderRules:
    """The rules of one provider, compiled once for many rows.

    Args:
        limits: The limits, which include the rules.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._models = limits.models
        self._refused = [(rule, re.compile(rule.models).fullmatch) for rule in limits.refuses]
        self._checks = limits.checks
        self._embedding_tokens = limits.embedding_tokens
        self._required = [(rule, re.compile(rule.models).fullmatch) for rule in limits.needs]

    def violations(
        self, body: dict[str, Any], model: str | None, url: str = ""
    ) -> Iterator[Violation]:
        """Yield every rule that a body breaks."""
        for what, fix in body_faults(body, url, self._checks):
            yield "refused_field", what, fix, "warning"
        if self._embedding_tokens and url.endswith("/embeddings"):
            what = too_long_input(body, self._embedding_tokens)
            if what:
                yield "refused_field", what, "Split the text into shorter ones.", "warning"
        name = model or ""
        if self._models and model is not None and model not in self._models:
            similar = difflib.get_close_matches(model, self._models, n=1)
            hint = f"Did you mean {similar[0]}? " if similar else ""
            yield (
                "unknown_model",
                f"the provider has no model {quoted(model)}",
                f"{hint}Available: {', '.join(self._models)}.",
                "error",
            )
        for refusal, applies in self._refused:
            if refusal.models and not applies(name):
                continue
            if refusal.endpoints and not re.search(f"(?:{refusal.endpoints})$", url):
                continue
            for path in refusal.fields:
                for value in _given(body, path):
                    if _is_allowed(value, refusal):
                        continue
                    detail = f" is {quoted(str(value), 20)}, which" if refusal.values else ""
                    usual = f'Change "{path}".' if refusal.values else f'Remove "{path}".'
                    yield (
                        "refused_field",
                        f'"{path}"{detail} {refusal.why}',
                        refusal.fix or usual,
                        "warning" if refusal.is_warning else "error",
                    )
                    break
        for need, applies in self._required:
            if need.models and not applies(name):
                continue
            if not any(_given(body, path) for path in need.fields):
                yield (
                    "missing_field",
                    f'no "{need.fields[0]}": {need.why}',
                    f'Set "{need.fields[0]}" in the body.',
                    "error",
                )


def _given(body: Any, path: str) -> list[Any]:
    """The values at a path that say something: not null, no empty list or object."""
    return [value for value in find(body, path) if value not in (None, [], {})]


def _is_allowed(value: Any, rule: RejectedFields) -> bool:
    if rule.allowed:
        return any(value == allowed for allowed in rule.allowed) and not isinstance(value, bool)
    return bool(rule.values) and not _is_one_of(value, rule.values)


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    """Compare value and type, since ``False == 0`` in Python."""
    return any(value == allowed and type(value) is type(allowed) for allowed in values)


def may_apply_to(models: str, model: str | None) -> bool:
    """Whether a rule for ``models`` may apply to a model; true for an unknown one (``None``)."""
    return not models or model is None or re.fullmatch(models, model) is not None


def top_level_field(path: str) -> str:
    """The top-level field of the body that a path starts with."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]
