"""Decoders made for the rows of one file, so that correct rows need no second look.

Once the first correct row is known, the rows after it mostly have the same method, endpoint
and model. A decoder typed with just these refuses everything else, and what it takes needs
no check but that of the id.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from tui.compose.endpoints import SCALEDOWN_MODELS, endpoint_of, is_translated
from tui.compose.limits import Limits
from tui.compose.prompts import is_whole_item
from tui.compose.rules import applies_to, top_of
from tui.compose.tokens import tokens_of
from tui.errors import InputError

_EXTRA = {"/messages": "system", "/responses": "instructions"}
"""Text that is sent beside the prompt, by the end of the url."""

_Filled = Annotated[str, msgspec.Meta(min_length=1)]
_Something = str | float | bool | list[Any] | dict[str, Any]
_FROM_ONE: Any = Annotated[int, msgspec.Meta(ge=1)] | None


class _ChatMessage(msgspec.Struct, gc=False):
    content: _Filled
    role: Literal["assistant", "developer", "function", "system", "tool", "user"]


class _Message(msgspec.Struct, gc=False):
    content: _Filled
    role: Literal["assistant", "user"]


class _PlainMessage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: _Filled
    role: Literal["assistant", "developer", "system", "user"]


_PLAIN_OPTIONS: dict[str, Any] = {
    "max_tokens": Annotated[int, msgspec.Meta(ge=1)] | None,
    "temperature": Annotated[float, msgspec.Meta(ge=0, le=1)] | None,
    "top_p": Annotated[float, msgspec.Meta(ge=0, le=1)] | None,
    "user": str | None,
}
"""Options that every translation has words for, whatever their value is."""

_OPTIONS = (
    "response_format",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "thinking",
    "top_k",
)
"""Options whose value decides whether a row can be translated; mostly that of all rows."""

_MOST_KINDS = 4096
"""So many kinds of translated rows are remembered."""


class _Label(msgspec.Struct, gc=False):
    name: str
    rubric: str


class UniformRows:
    """Decodes rows that are like a given one.

    Rows that are translated (see ``Limits.takes``) may hold nothing but what is named here;
    of those with the same roles and options, one is translated to see that it can be.

    ``loose``: take any model, and ``stream`` when it is false. Slower, for files that are
    correct but not uniform.

    Args:
        ready_made: Is it a ``{custom_id, params}`` row?
        url: Its endpoint.
        model: Its model.
        limits: For the length of the ids.
        loose: See above.
    """

    def __init__(
        self, *, ready_made: bool, url: str, model: str | None, limits: Limits, loose: bool
    ) -> None:
        self.ready_made = ready_made
        self.url = url
        self.model = model
        self.loose = loose
        endpoint = endpoint_of(url)
        scaledown = model in SCALEDOWN_MODELS and endpoint.prompt == "messages"
        self.prompt = "text" if scaledown else endpoint.prompt
        self._models = limits.models
        self._limits = limits
        self._prompts: list[str] = []
        self._takes = limits.takes if is_translated(url) else None
        self._taken: set[tuple[Any, ...]] = set()
        self._extra = next((name for end, name in _EXTRA.items() if url.endswith(end)), None)
        self._decode = self._decoder(limits).decode if self.prompt is not None else None

    def _decoder(self, limits: Limits) -> msgspec.json.Decoder[Any]:
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
        closed = self._takes is not None
        return msgspec.defstruct(name, fields, kw_only=True, gc=False, forbid_unknown_fields=closed)

    def _body(self) -> type[msgspec.Struct]:
        prompt: Any = _Filled
        if self.prompt == "messages":
            message: Any = _Message if self.url.endswith("/messages") else _ChatMessage
            if self._takes is not None:
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
            fields.append(("model", Literal.__getitem__(tuple(sorted(SCALEDOWN_MODELS)))))
        else:
            fields.append(("model", _Filled))
        fields.append(("stream", bool, False) if self.loose else ("stream", None, None))
        for name in ("system", "instructions"):
            fields.append((name, str, "") if name == self._extra else (name, None, None))
        if self.prompt == "text":
            fields.append(("messages", None, None))
            fields.append(("labels", list[_Label] | None, None))
            fields.append(("entities", dict[str, str] | None, None))
        known = {field[0] for field in fields} | {self.prompt}
        fields += [guard for guard in self._guards() if guard[0] not in known]
        if self._takes is not None:
            known = {field[0] for field in fields} | {self.prompt}
            fields += [(*each, None) for each in _PLAIN_OPTIONS.items() if each[0] not in known]
            fields += [(each, msgspec.Raw, msgspec.Raw()) for each in _OPTIONS if each not in known]
            self._options = tuple(each for each in _OPTIONS if each not in known)
        return self._struct("Body", fields)

    def _guards(self) -> Iterator[tuple[Any, ...]]:
        """Fields that let a row through only when it surely keeps the provider's rules.

        Rules for what is inside messages need none: messages in parts do not come here.
        """
        kinds: dict[str, Any] = {}
        for refusal in self._limits.refuses:
            if applies_to(refusal.models, None if self.loose else self.model):
                kind = _FROM_ONE if refusal.values == (0,) else None
                kinds |= dict.fromkeys(map(top_of, refusal.fields), kind)
        needed = {
            top_of(need.fields[0])
            for need in self._limits.needs
            if applies_to(need.models, None if self.loose else self.model)
        }
        for name in {*kinds, *needed}:
            if name in needed:
                # What is null is not there.
                kind = kinds.get(name, _Something)
                yield (name, Annotated[int, msgspec.Meta(ge=1)] if kind == _FROM_ONE else kind)
            else:
                yield (name, kinds[name], None)

    def decode(self, lines: list[bytes]) -> list[Any] | None:
        """The rows of these lines, or ``None`` when one of them wants a closer look."""
        if self._decode is None:
            return None
        try:
            rows = list(map(self._decode, lines))
        except (ValueError, RecursionError):
            return None
        if self.loose and any(row.body.stream for row in rows):
            return None
        if self._takes is not None and not self._are_taken(rows, lines):
            return None
        if self.prompt == "text" and not all(is_whole_item(row.body) for row in rows):
            return None
        if self.prompt == "messages":
            self._prompts = [message.content for row in rows for message in row.body.prompt]
        else:
            self._prompts = [row.body.prompt for row in rows]
        if any(map(str.isspace, self._prompts)):
            return None
        return rows

    def _are_taken(self, rows: list[Any], lines: list[bytes]) -> bool:
        """Can rows like these be translated? Each kind of them is translated once."""
        assert self._takes is not None
        options = attrgetter(*self._options)
        for row, line in zip(rows, lines, strict=True):
            body = row.body
            kind = (*map(bytes, options(body)), *[message.role for message in body.prompt])
            if kind in self._taken:
                continue
            try:
                self._takes(line)
            except InputError:
                return False
            if len(self._taken) < _MOST_KINDS:
                self._taken.add(kind)
        return True

    def tokens(self, rows: list[Any], *, plain: bool) -> float:
        """The estimate for the prompts of these rows.

        Args:
            rows: What ``decode`` gave just now.
            plain: The lines hold nothing but ASCII, and no escapes of other characters.
        """
        texts = self._prompts
        if self._extra is not None:
            texts = texts + [getattr(row.body, self._extra) for row in rows]
        return sum(map(len, texts)) / 4 if plain else sum(map(tokens_of, texts))
