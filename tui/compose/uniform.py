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
from tui.compose.tokens import tokens_of

_EXTRA = {"/messages": "system", "/responses": "instructions"}
"""Text that is sent beside the prompt, by the end of the url."""

_Filled = Annotated[str, msgspec.Meta(min_length=1)]


class _Message(msgspec.Struct, gc=False):
    content: _Filled


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
            prompt = Annotated[list[_Message], msgspec.Meta(min_length=1)]
        fields: list[Any] = [("prompt", prompt, msgspec.field(name=self.prompt))]
        if self.model is None:
            fields.append(("model", None, None))
        elif not self.loose:
            fields.append(("model", Literal.__getitem__(self.model)))
        elif self.prompt == "text":
            fields.append(("model", Literal.__getitem__(tuple(sorted(SCALEDOWN_MODELS)))))
        else:
            fields.append(("model", _Filled))
        fields.append(("stream", bool, False) if self.loose else ("stream", None, None))
        for name in ("system", "instructions"):
            fields.append((name, str, "") if name == self._extra else (name, None, None))
        if self.prompt == "text":
            fields.append(("messages", None, None))
        return msgspec.defstruct("Body", fields, kw_only=True, gc=False)

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
        return rows

    def tokens(self, rows: list[Any], *, plain: bool) -> float:
        """The estimate for the prompts of these rows.

        Args:
            rows: What ``decode`` gave.
            plain: The lines hold nothing but ASCII, and no escapes of other characters.
        """
        if not plain:
            return sum(map(tokens_of, self._texts(rows)))
        size = 0
        if self.prompt == "messages":
            for row in rows:
                for message in row.body.prompt:
                    size += len(message.content)
        else:
            size = sum([len(row.body.prompt) for row in rows])
        if self._extra is not None:
            size += sum([len(getattr(row.body, self._extra)) for row in rows])
        return size / 4

    def _texts(self, rows: list[Any]) -> Iterator[str]:
        for row in rows:
            if self.prompt == "messages":
                for message in row.body.prompt:
                    yield message.content
            else:
                yield row.body.prompt
            if self._extra is not None:
                yield getattr(row.body, self._extra)
