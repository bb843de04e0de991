"""The rows of a model invocation job: ``recordId`` and ``modelInput``, in the form of the model.

Wire facts: docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-data. A job has one model
and one type of invocation: ``InvokeModel``, whose ``modelInput`` is what the vendor of the model
defined, or ``Converse``, which is the same for all.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

import msgspec

from tui.core import json_path
from tui.core.requests import CONVERSE_URL, INVOKE_URL
from tui.errors import InputError
from tui.providers.dialects.anthropic_requests import chat_to_messages
from tui.providers.dialects.bedrock.converse_requests import chat_to_converse
from tui.providers.dialects.requests import Untranslatable
from tui.providers.profiles.model import Bedrock, BedrockRows

Invocation = Literal["InvokeModel", "Converse"]

_PREFIX = r"(?:[a-z][a-z0-9-]*\.)?"
_ANTHROPIC = re.compile(rf"{_PREFIX}anthropic\.")
_OPENAI = re.compile(rf"{_PREFIX}openai\.gpt-oss")
_VENDOR = re.compile(rf"{_PREFIX}(?:ai21|amazon|cohere|deepseek|meta|mistral|openai|qwen|writer)\.")
_NOT_AT_BEDROCK = (
    ("messages[role=user].content[type=image].source.type", ("url", "file"), "an image"),
    ("messages[role=user].content[type=document].source.type", ("url", "file"), "a document"),
)


class _Request(msgspec.Struct):
    custom_id: str = ""
    url: str = ""
    body: msgspec.Raw = msgspec.Raw()
    params: msgspec.Raw = msgspec.Raw()
    record_id: str = msgspec.field(default="", name="recordId")
    model_input: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="modelInput")


_decode = msgspec.json.Decoder(_Request).decode
_decode_table = msgspec.json.Decoder(dict[str, Any]).decode
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class BedrockRow(NamedTuple):
    """A row of a job.

    Attributes:
        record_id: Its id.
        model: The model that the request names; empty if it names none.
        invocation: The type of invocation that it is for.
        body: The ``modelInput``.
    """

    record_id: str
    model: str
    invocation: Invocation
    body: dict[str, Any]

    @property
    def line(self) -> bytes:
        """The row as a line of the file of a job."""
        return _encode({"recordId": self.record_id, "modelInput": self.body})


def invocation_of(model: str, endpoint: str, rows: BedrockRows) -> Invocation:
    """How the rows of a job are invoked, by its model and the endpoint of its requests."""
    path = endpoint.rstrip("/")
    if path.endswith("/chat/completions"):
        return "Converse" if form_for(model, rows) == "converse" else "InvokeModel"
    return "Converse" if path.endswith(CONVERSE_URL) else "InvokeModel"


def form_for(model: str, rows: BedrockRows) -> Literal["messages", "chat", "converse"]:
    """The form into which chat requests for a model are translated; see ``Bedrock.rows``."""
    if rows != "model":
        return rows
    # A model may be named by an ARN, which ends with its name.
    name = model.rpartition("/")[2]
    if _ANTHROPIC.match(name):
        return "messages"
    return "chat" if _OPENAI.match(name) else "converse"


class BedrockEncoder:
    """Encodes request lines as rows of a job.

    Args:
        section: The settings of the profile.
    """

    def __init__(self, section: Bedrock) -> None:
        self._section = section

    def write(self, line: bytes) -> bytes:
        """Encode one request line as ``{"recordId", "modelInput"}``.

        Raises:
            InputError: The line is not a request, or cannot be translated without loss.
        """
        return self.read(line).line

    def read(self, line: bytes) -> BedrockRow:
        """Read one request line; a ``modelInput`` of its own is kept byte for byte.

        Raises:
            InputError: The line is not a request, or cannot be translated without loss.
        """
        try:
            found = _decode(line)
            given = found.model_input or found.params or found.body
            table = _decode_parts(given) if given else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"A request cannot be read: {error}", "Check the file.") from None
        record_id = found.custom_id or found.record_id
        if table is None:
            raise InputError(f"Request {record_id!r} has no body", "Check the file.")
        try:
            return self._row(found, record_id, given, table)
        except Untranslatable as error:
            raise InputError(
                f"Request {record_id!r} {error}",
                "Change the request, or write the line as recordId and modelInput.",
            ) from None

    def _row(
        self, found: _Request, record_id: str, given: bytes, table: dict[str, msgspec.Raw]
    ) -> BedrockRow:
        url = found.url.rstrip("/")
        own = bool(found.model_input) or url.endswith((INVOKE_URL, CONVERSE_URL))
        model = msgspec.json.decode(table["model"]) if "model" in table else None
        name = model if isinstance(model, str) else ""
        if own:
            # The model is that of the whole job.
            parts = {key: value for key, value in table.items() if key != "model"}
            converse = url.endswith(CONVERSE_URL)
            return BedrockRow(record_id, name, "Converse" if converse else "InvokeModel", parts)
        if not name:
            raise Untranslatable("names no model")
        body = _decode_table(given)
        if found.params or url.endswith("/messages"):
            return BedrockRow(record_id, name, "InvokeModel", self._messages(body, name))
        if not url.endswith("/chat/completions"):
            raise Untranslatable(f"has the url {found.url!r}, which Bedrock does not support")
        form = form_for(name, self._section.rows)
        if form == "messages":
            return BedrockRow(
                record_id, name, "InvokeModel", self._messages(chat_to_messages(body), name)
            )
        if form == "converse":
            return BedrockRow(record_id, name, "Converse", chat_to_converse(body))
        if body.get("stream"):
            raise Untranslatable("sets stream, which batches do not support")
        kept = {key: value for key, value in table.items() if key != "model"}
        return BedrockRow(record_id, name, "InvokeModel", kept)

    def _messages(self, params: dict[str, Any], model: str) -> dict[str, Any]:
        """A Messages request as Bedrock takes it: without a model, and with its own version.

        Raises:
            Untranslatable: The model is not Anthropic's, or Bedrock does not take the request.
        """
        name = model.rpartition("/")[2]
        if self._section.rows == "converse":
            raise Untranslatable("is a Messages request, but bedrock.rows is converse")
        if _VENDOR.match(name) and self._section.rows == "model":
            raise Untranslatable(f"is a Messages request, and {model} is not a model of Anthropic")
        for field in ("messages", "max_tokens"):
            if not params.get(field):
                raise Untranslatable(f"lacks {field}, which Anthropic requires in every request")
        if params.get("stream"):
            raise Untranslatable("sets stream, which batches do not support")
        for path, kinds, what in _NOT_AT_BEDROCK:
            if any(kind in kinds for kind in json_path.find(params, path)):
                raise Untranslatable(f"has {what} that is not base64, which Bedrock does not take")
        kept = {key: value for key, value in params.items() if key not in ("model", "stream")}
        return {"anthropic_version": self._section.anthropic_version, **kept}
