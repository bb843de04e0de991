"""Decoders made for the rows of one file, so that correct rows need no second look.

Once the first correct row is known, the rows after it mostly have the same method, endpoint
and model. A decoder typed with just these refuses everything else, and what it takes needs
no check but that of the id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from tui.compose.endpoints import SCALEDOWN_MODELS, endpoint_of
from tui.compose.limits import Limits
from tui.compose.prompts import is_whole_item
from tui.compose.rules import applies_to, top_of
from tui.compose.tokens import tokens_of

_EXTRA = {"/messages": "system", "/responses": "instructions"}
"""Text that is sent beside the prompt, by the end of the url."""

_Filled = Annotated[str, msgspec.Meta(min_length=1)]


class _ChatMessage(msgspec.Struct, gc=False):
    content: _Filled
    role: Literal["assistant", "developer", "function", "system", "tool", "user"]


class _Message(msgspec.Struct, gc=False):
    content: _Filled
    role: Literal["assistant", "user"]


class _Label(msgspec.Struct, gc=False):
    name: str
    rubric: str


class UniformRows:
    """Decodes rows that are like a given one.

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
        return msgspec.json.Decoder(msgspec.defstruct("Row", columns, kw_only=True, gc=False))

    def _body(self) -> type[msgspec.Struct]:
        prompt: Any = _Filled
        if self.prompt == "messages":
            message: Any = _Message if self.url.endswith("/messages") else _ChatMessage
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
        return msgspec.defstruct("Body", fields, kw_only=True, gc=False)

    def _guards(self) -> Iterator[tuple[Any, ...]]:
        """Fields that let a row through only when it surely keeps the provider's rules.

        Rules for what is inside messages need none: messages in parts do not come here.
        """
        kinds: dict[str, Any] = {}
        for refusal in self._limits.refuses:
            if applies_to(refusal.models, None if self.loose else self.model):
                kind = Annotated[int, msgspec.Meta(ge=1)] | None if refusal.values == (0,) else None
                kinds |= dict.fromkeys(map(top_of, refusal.fields), kind)
        needed = {
            top_of(need.fields[0])
            for need in self._limits.needs
            if applies_to(need.models, None if self.loose else self.model)
        }
        for name in {*kinds, *needed}:
            kind = kinds.get(name, Any)
            yield (name, kind) if name in needed else (name, kind, None)

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
        if self.prompt == "text" and not all(is_whole_item(row.body) for row in rows):
            return None
        if self.prompt == "messages":
            self._prompts = [message.content for row in rows for message in row.body.prompt]
        else:
            self._prompts = [row.body.prompt for row in rows]
        if any(map(str.isspace, self._prompts)):
            return None
        return rows

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
