"""What translators of chat completion requests share: they lose nothing, or refuse a request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from tui.providers.dialects.requests import Untranslatable

Table = dict[str, Any]

DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "stream": (False,),
    "store": (False,),
    "logprobs": (False,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "metadata": ({},),
    "parallel_tool_calls": (True,),
    "tools": ([],),
    "stop": ([],),
}
"""Values of fields that only state a default, so that they can be left out."""


class ChatRequests:
    """Reads chat completion requests for one provider, whose name is in the errors.

    Args:
        provider: The provider.
        fields: The fields that are translated.
        defaults: Values that can be left out, in addition to ``DEFAULTS``.
    """

    def __init__(
        self,
        provider: str,
        fields: Collection[str],
        defaults: Mapping[str, tuple[Any, ...]] | None = None,
    ) -> None:
        self._provider = provider
        self._fields = frozenset(fields)
        self._defaults = {**DEFAULTS, **(defaults or {})}

    def stated(self, body: Table) -> Table:
        """The fields of a request that say something.

        Raises:
            Untranslatable: One of them is not translated.
        """
        chat = {
            name: value
            for name, value in body.items()
            if value is not None and value not in self._defaults.get(name, ())
        }
        for name in chat:
            if name not in self._fields:
                raise Untranslatable(f"uses {name}, which {self._provider} does not support")
        return chat

    def require_only(self, table: Table, *names: str) -> Table:
        """Return the table, checked to have only these keys, apart from nulls.

        Raises:
            Untranslatable: It has another one.
        """
        for name, value in table.items():
            if name not in names and value is not None:
                raise Untranslatable(f"has {name!r}, which {self._provider} does not support there")
        return table

    def schema(self, form: Any) -> Table | None:
        """The JSON schema of a ``response_format``; ``None`` if it is of another type.

        Its name is only a label, and ``strict`` says what these providers always do.

        Raises:
            Untranslatable: There is more beside the schema.
        """
        if not isinstance(form, dict) or form.get("type") != "json_schema":
            return None
        wrapped = form.get("json_schema")
        if not isinstance(wrapped, dict) or not isinstance(wrapped.get("schema"), dict):
            return None
        schema: Table = self.require_only(wrapped, "name", "schema", "strict")["schema"]
        return schema


def longest_answer(chat: Table) -> Any:
    """``max_tokens`` or ``max_completion_tokens``; ``None`` if there is neither.

    Raises:
        Untranslatable: They differ.
    """
    old, new = chat.get("max_tokens"), chat.get("max_completion_tokens")
    if old is not None and new is not None and old != new:
        raise Untranslatable("sets max_tokens and max_completion_tokens to different values")
    return new if old is None else old


def stop_sequences(chat: Table) -> list[Any]:
    """The sequences of ``stop``, which may be a single one."""
    stop = chat["stop"]
    return [stop] if isinstance(stop, str) else stop


def call_arguments(text: Any) -> Table:
    """The arguments of a tool call.

    Raises:
        Untranslatable: They are not a JSON object.
    """
    try:
        value = msgspec.json.decode(text or "{}")
    except (msgspec.MsgspecError, TypeError):
        value = None
    if not isinstance(value, dict):
        raise Untranslatable("has a tool call whose arguments are not a JSON object")
    return value
