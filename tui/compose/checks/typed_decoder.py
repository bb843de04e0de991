"""Fast typed decoding of the rows of one file.

The rows after the first correct one mostly have the same method, endpoint and model. A decoder
typed with exactly these rejects everything else, and the rows it accepts need no check other
than that of the id.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from tui.compose.requests import prompts
from tui.compose.requests.amounts import (
    EXTRA_FIELDS,
    HOSTED_FIELDS,
    MODALITIES,
    STORED_FIELDS,
    Amount,
    extra_amount,
    framing,
    texts_amount,
)
from tui.compose.requests.rules import RequestLimits, may_apply_to, top_level_field
from tui.compose.requests.tokens import family_of
from tui.core.requests import LIMIT_FIELDS
from tui.errors import InputError

_INSTRUCTIONS = {"/messages": "system", "/responses": "instructions"}
"""The field with instructions besides the prompt, by the ending of the url."""

_NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
_NotNull = str | int | float | bool | list[Any] | dict[str, Any]
_COST_FIELDS = (*LIMIT_FIELDS, *prompts.CHOICE_FIELDS)
_USUAL_TIERS = Literal["auto", "default", "flex", "standard_only"] | None
_POSITIVE: Any = Annotated[int, msgspec.Meta(ge=1)] | None


# A message with other fields, such as a name or calls of tools, needs the full check: they are
# input, too.


class _ChatMessage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: _NonEmpty
    role: Literal["assistant", "developer", "function", "system", "tool", "user"]
    cache_control: None = None


class _Message(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: _NonEmpty
    role: Literal["assistant", "user"]
    cache_control: None = None


class _PlainMessage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: _NonEmpty
    role: Literal["assistant", "developer", "system", "user"]


_PLAIN_OPTIONS: dict[str, Any] = {
    "max_tokens": Annotated[int, msgspec.Meta(ge=1)] | None,
    "temperature": Annotated[float, msgspec.Meta(ge=0, le=1)] | None,
    "top_p": Annotated[float, msgspec.Meta(ge=0, le=1)] | None,
    "user": str | None,
}
"""Options that every translation supports, whatever their value."""

_OPTIONS = (
    "response_format",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "thinking",
    "top_k",
)
"""Options whose value decides whether a row can be translated; usually equal in all rows."""

_MAX_KINDS = 4096
"""How many combinations of roles and options are remembered as translatable."""


_EMPTY = len("null")
"""A field of so few bytes has no tools and no schema."""

_MISSING = msgspec.Raw()


class _Label(msgspec.Struct, gc=False):
    name: str
    rubric: str


class UniformRows:
    """Decodes rows that have the same form as a given row.

    Rows that need translation (see ``RequestLimits``) may have only known fields; one row of
    each combination of roles and options is translated to check that it can be.

    Args:
        ready_made: Whether the row is a ``{custom_id, params}`` row.
        url: The endpoint of the row.
        model: The model of the row.
        body: The body of the row.
        limits: The provider's limits and rules.
        loose: Accept any model and any length of the answer, and ``stream`` if it is false.
            Slower; for files that are correct but not uniform.
    """

    def __init__(
        self,
        *,
        ready_made: bool,
        url: str,
        model: str | None,
        body: dict[str, Any],
        limits: RequestLimits,
        loose: bool,
    ) -> None:
        self.ready_made = ready_made
        self.url = url
        self.model = model
        self.loose = loose
        self._cost_fields = {
            name: value
            for name in _COST_FIELDS
            if type(value := body.get(name)) is int and value.bit_length() < 64
        }
        self._given = frozenset(body)
        self._answer = prompts.answer_length(url, self._cost_fields.get)
        endpoint = prompts.endpoint_of(url)
        scaledown = model in prompts.SCALEDOWN_MODELS and endpoint.prompt == "messages"
        self.prompt = "text" if scaledown else endpoint.prompt
        self._models = limits.models
        self._limits = limits
        self._texts: list[str] = []
        checks = limits.checks_messages or prompts.is_translated(url)
        self._translate = limits.check_line if checks else None
        self._translatable: set[tuple[Any, ...]] = set()
        self._instructions = next(
            (name for end, name in _INSTRUCTIONS.items() if url.endswith(end)), None
        )
        self._decode = self._decoder(limits).decode if self.prompt is not None else None

    def _decoder(self, limits: RequestLimits) -> msgspec.json.Decoder[Any]:
        length = limits.custom_id_max or None
        columns: list[Any] = [
            ("custom_id", Annotated[str, msgspec.Meta(min_length=1, max_length=length)])
        ]
        if self.ready_made:
            columns += [("body", self._body(), msgspec.field(name="params"))]
            columns += [("other", None, msgspec.field(name="body", default=None))]
        else:
            columns += [
                ("method", Literal["POST"]),
                ("url", Literal.__getitem__(self.url)),
                ("body", self._body()),
            ]
        return msgspec.json.Decoder(self._struct("Row", columns))

    def _struct(self, name: str, fields: list[Any]) -> type[msgspec.Struct]:
        closed = self._translate is not None
        return msgspec.defstruct(name, fields, kw_only=True, gc=False, forbid_unknown_fields=closed)

    def _body(self) -> type[msgspec.Struct]:
        prompt: Any = _NonEmpty
        if self.prompt == "messages":
            message: Any = _Message if self.url.endswith("/messages") else _ChatMessage
            if self._translate is not None:
                message = _PlainMessage
            prompt = Annotated[list[message], msgspec.Meta(min_length=1)]
        fields: list[Any] = [("prompt", prompt, msgspec.field(name=self.prompt))]
        if self.model is None:
            fields.append(("model", None, None))
        elif not self.loose:
            fields.append(("model", Literal.__getitem__(self.model)))
        elif self._models:
            fields.append(("model", Literal.__getitem__(self._models)))
        elif self.prompt == "text":
            fields.append(("model", Literal.__getitem__(tuple(sorted(prompts.SCALEDOWN_MODELS)))))
        else:
            fields.append(("model", _NonEmpty))
        fields.append(("stream", bool, False) if self.loose else ("stream", None, None))
        for name in ("system", "instructions"):
            fields.append((name, str, "") if name == self._instructions else (name, None, None))
        if self.prompt == "text":
            fields.append(("messages", None, None))
            fields.append(("labels", list[_Label] | None, None))
            fields.append(("entities", dict[str, str] | None, None))
        if not self.loose:
            for name in _COST_FIELDS:
                value = self._cost_fields.get(name)
                # The row keeps the rules for these fields, so every row with these values does.
                has_value = (name, Literal.__getitem__(value))
                fields.append((name, None, None) if value is None else has_value)
        known = {field[0] for field in fields} | {self.prompt}
        fields += [guard for guard in self._rule_fields() if guard[0] not in known]
        known = {field[0] for field in fields} | {self.prompt}
        if self._translate is None:
            fields += [(name, int | None, None) for name in _COST_FIELDS if name not in known]
            # Texts have no marks for a prompt cache, and rows with one here need the full check.
            fields.append(("cache_control", None, None))
        else:
            fields += [(*item, None) for item in _PLAIN_OPTIONS.items() if item[0] not in known]
            free = [name for name in _OPTIONS if name not in known]
            # Looking at an option that no row has takes time, too.
            self._options = [name for name in free if self.loose or name in self._given]
            fields += [(name, msgspec.Raw, _MISSING) for name in self._options]
            fields += [(name, None, None) for name in free if name not in self._options]
        fields += self._input_fields({field[0] for field in fields} | {self.prompt})
        return self._struct("Body", fields)

    def _input_fields(self, known: set[str | None]) -> list[Any]:
        """Fields whose JSON is part of the input; rows with stored input are not accepted."""
        if self._translate is not None:
            names = [name for name in EXTRA_FIELDS if name in _OPTIONS and name in known]
            new: list[Any] = []
        else:
            free = [name for name in (*EXTRA_FIELDS, "text") if name not in known]
            # Reading a field that no row has takes time, too.
            names = [name for name in free if self.loose or name in self._given]
            new = [(name, msgspec.Raw, _MISSING) for name in names]
            closed = [*STORED_FIELDS, *HOSTED_FIELDS, MODALITIES]
            closed += [name for name in free if name not in names]
            new += [(name, None, None) for name in closed if name not in known]
            if "service_tier" not in known:
                new.append(("service_tier", _USUAL_TIERS, None))
        self._extras = [(name, attrgetter(f"body.{name}")) for name in names]
        return new

    def _rule_fields(self) -> Iterator[tuple[Any, ...]]:
        """Yield fields that accept a row only if it certainly keeps the provider's rules.

        Rules for the inside of messages need none: messages with parts are not accepted here.
        """
        kinds: dict[str, Any] = {}
        for refusal in self._limits.refuses:
            # A warning needs no guard: it is given for the first rows, and prevents nothing.
            if refusal.is_warning or refusal.endpoints:
                continue
            if may_apply_to(refusal.models, None if self.loose else self.model):
                kind = _POSITIVE if refusal.values == (0,) else None
                kinds |= dict.fromkeys(map(top_level_field, refusal.fields), kind)
        needed = {
            top_level_field(need.fields[0])
            for need in self._limits.needs
            if may_apply_to(need.models, None if self.loose else self.model)
        }
        for name in {*kinds, *needed}:
            if name in needed:
                # Null counts as missing.
                kind = kinds.get(name, _NotNull)
                yield (name, Annotated[int, msgspec.Meta(ge=1)] if kind == _POSITIVE else kind)
            else:
                yield (name, kinds[name], None)

    @property
    def may_mark(self) -> bool:
        """Whether accepted rows may mark a part of their prompt for a cache, such as a tool."""
        return bool(self._extras)

    def decode(self, lines: list[bytes]) -> list[Any] | None:
        """Decode the lines, or return ``None`` if one of them needs the full check."""
        if self._decode is None:
            return None
        try:
            rows = list(map(self._decode, lines))
        except (ValueError, RecursionError):
            return None
        if self.loose and any(row.body.stream for row in rows):
            return None
        if self._translate is not None and not self._are_translatable(rows, lines):
            return None
        if self.prompt == "text" and not all(prompts.is_complete_item(row.body) for row in rows):
            return None
        self._texts = self._texts_of(rows)
        if any(map(str.isspace, self._texts)):
            return None
        return rows

    def _are_translatable(self, rows: list[Any], lines: list[bytes]) -> bool:
        """Whether the rows can be translated; each combination is tried once."""
        assert self._translate is not None
        role = attrgetter("role")
        kinds: list[tuple[Any, ...]] = [tuple(map(role, row.body.prompt)) for row in rows]
        for name in self._options:
            values = [getattr(row.body, name) for row in rows]
            # Mostly no row has one.
            if values.count(_MISSING) < len(values):
                kinds = [
                    (*kind, name, bytes(value)) for kind, value in zip(kinds, values, strict=True)
                ]
        for kind in set(kinds) - self._translatable:
            try:
                self._translate(lines[kinds.index(kind)])
            except InputError:
                return False
            if len(self._translatable) < _MAX_KINDS:
                self._translatable.add(kind)
        return True

    def costs(
        self, rows: list[Any], *, long: bool
    ) -> Iterator[tuple[str | None, prompts.AnswerLength, int, Amount]]:
        """Yield model, length of the answers, count and input, for rows that are alike.

        Args:
            rows: The result of the last call of ``decode``.
            long: Whether a prompt may be long, so that each row is yielded alone.
        """
        kinds = [(self.model, self._answer)]
        if self.loose:
            kinds = [(row.body.model, self._answer_of(row.body)) for row in rows]
        if not long and kinds.count(kinds[0]) == len(kinds):
            yield *kinds[0], len(rows), self._amount(rows, self._texts, kinds[0][0])
            return
        for row, kind in zip(rows, cycle(kinds), strict=False):
            yield *kind, 1, self._amount([row], self._texts_of([row]), kind[0])

    def _amount(self, rows: list[Any], texts: list[str], model: str | None) -> Amount:
        amount = texts_amount(texts, family_of(model or "")).plus(framing(len(rows), len(texts)))
        for name, read in self._extras:
            fields = list(map(read, rows))
            alike = fields.count(fields[0]) == len(fields)
            for field in fields[:1] if alike else fields:
                if isinstance(field, msgspec.Raw) and len(value := bytes(field)) > _EMPTY:
                    extra = extra_amount(name, value, model or "")
                    amount = amount.plus(extra.times(len(fields) if alike else 1))
        return amount

    def _answer_of(self, body: Any) -> prompts.AnswerLength:
        return prompts.answer_length(self.url, lambda name: getattr(body, name, None))

    def _texts_of(self, rows: list[Any]) -> list[str]:
        """The texts that the rows send to the model."""
        if self.prompt == "messages":
            texts = [message.content for row in rows for message in row.body.prompt]
        else:
            texts = [row.body.prompt for row in rows]
        if self._instructions is not None:
            texts += [getattr(row.body, self._instructions) for row in rows]
        return texts
