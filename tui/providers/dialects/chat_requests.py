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

    def conversation(self, messages: Any) -> tuple[list[Any], list[Table]]:
        """Split messages into the contents of the system prompt and the turns.

        Returns:
            The contents of the leading system and developer messages, and the other messages, each
            with the role ``user``, ``assistant`` or ``tool``.

        Raises:
            Untranslatable: There are none, or one has another form or another place.
        """
        if not isinstance(messages, list) or not messages:
            raise Untranslatable("has no messages")
        system: list[Any] = []
        turns: list[Table] = []
        for message in messages:
            if not isinstance(message, dict):
                raise Untranslatable("has a message that is not an object")
            role = message.get("role")
            if role in ("system", "developer"):
                if turns:
                    raise Untranslatable("has a system message after the first turn")
                system.append(self.require_only(message, "role", "content").get("content"))
            elif role in ("user", "assistant", "tool"):
                turns.append(message)
            else:
                raise Untranslatable(
                    f"has a message with the role {role!r}, which {self._provider} does not support"
                )
        return system, turns

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


def function_call(call: Any) -> tuple[Any, str, Table]:
    """The id, the name and the arguments of a tool call.

    Raises:
        Untranslatable: It is not the call of a function, or its arguments are not an object.
    """
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Untranslatable("has a tool call that is not a function call")
    return call.get("id"), function["name"], call_arguments(function.get("arguments"))


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
