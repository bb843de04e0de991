"""Rows of Vertex AI's batch jobs: each family of models takes another form.

===============  ==========================================================================
Gemini           ``{"request"}`` in Gemini's own shape; the id of the row goes to its labels
embeddings       ``{"key", "request"}``
Claude           ``{"custom_id", "request"}`` with Messages params and ``anthropic_version``
open models      OpenAI's rows, whose model is ``publisher/name``
===============  ==========================================================================

Wire facts: docs.cloud.google.com/gemini-enterprise-agent-platform, batch inference of Gemini,
Claude and open models; PyPI litellm 1.110.2 ``llms/vertex_ai/batches``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from tui.core.results.google.row_ids import labels_of, without_own_labels
from tui.errors import InputError
from tui.providers.dialects.anthropic_requests import chat_to_messages
from tui.providers.dialects.google.gemini import GeminiEncoder
from tui.providers.dialects.google.rows import RequestRow, read_row
from tui.providers.dialects.requests import Untranslatable
from tui.providers.profiles.model import Vertex

Family = Literal["gemini", "claude", "open"]
_FAMILIES: dict[str, Family] = {"google": "gemini", "anthropic": "claude"}
_RESOURCE = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/([^/]+)/models/([^/]+)")
_OWN_MODEL = re.compile(r"projects/[^/]+/locations/[^/]+/(?:models|endpoints)/[^/]+")
_HINT = "Change the request, or write the line as Vertex AI takes it."


class Model(NamedTuple):
    """A model of Vertex AI.

    Attributes:
        resource: Its name in a create call.
        family: Which rows it takes.
        name: Its name in rows and routes: ``publisher/name``, or the name of Google's.
    """

    resource: str
    family: Family
    name: str


_encode = msgspec.json.Encoder().encode


def model_of(name: str, publishers: Mapping[str, str]) -> Model:
    """Find a model by the name that a user writes.

    Args:
        name: ``gemini-3.5-flash``, ``meta/llama-4-scout``, ``publishers/meta/models/…``, or the
            resource of a model of the user's own.
        publishers: The publishers of names that have none, by how the names begin.

    Raises:
        InputError: No model is named, or its publisher is not known.
    """
    if not name:
        raise InputError("the requests name no model", "Set it: --model, or --set model=NAME.")
    if _OWN_MODEL.fullmatch(name):
        return Model(name, "gemini", name)
    if match := _RESOURCE.fullmatch(name):
        publisher, bare = match.groups()
        return _published(publisher, bare, name)
    publisher, slash, bare = name.removeprefix("models/").rpartition("/")
    if slash and "/" not in publisher:
        return _published(publisher, bare)
    if not slash:
        begins = [start for start in publishers if bare.startswith(start)]
        if begins:
            return _published(publishers[max(begins, key=len)], bare)
    raise InputError(
        f"the publisher of the model {name!r} is not known",
        "Write it as publisher/name, for example meta/llama-3.3-70b-instruct-maas.",
    )


def _published(publisher: str, bare: str, resource: str = "") -> Model:
    family = _FAMILIES.get(publisher, "open")
    return Model(
        resource or f"publishers/{publisher}/models/{bare}",
        family,
        bare if family != "open" else f"{publisher}/{bare}",
    )


class VertexEncoder:
    """Encodes request lines as rows of a batch job.

    Args:
        vertex: The profile's facts about rows.
    """

    def __init__(self, vertex: Vertex) -> None:
        self._vertex = vertex
        self._gemini = GeminiEncoder("native")

    def write(self, line: bytes) -> bytes:
        """Encode one request line.

        Raises:
            InputError: The line is not a request, or cannot be translated without loss.
        """
        row, body = read_row(line)
        family = self._family(row, body)
        try:
            if family == "claude":
                request = self.messages(row.url, body)
                return _encode({"custom_id": row.custom_id, "request": request})
            if family == "open":
                return _encode(self._open_row(row, body))
            return _encode(self._gemini_row(row, body))
        except Untranslatable as error:
            raise InputError(f"{row.subject} {error}", _HINT) from None

    def single(self, line: bytes) -> tuple[Model, dict[str, Any], bool]:
        """The model of a request line, its request in the model's own shape, and whether it embeds.

        Raises:
            InputError: The line is not a request, or cannot be translated without loss.
        """
        row, body = read_row(line)
        named = body.get("model")
        model = model_of(named if isinstance(named, str) else "", self._vertex.publishers)
        try:
            if model.family == "claude":
                return model, self.messages(row.url, body), False
            if model.family == "open":
                return model, {**body, "model": model.name}, False
            request = self._gemini.translated(row, body)
        except Untranslatable as error:
            raise InputError(f"{row.subject} {error}", _HINT) from None
        return model, request, "content" in request

    def messages(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        """The params of a Messages request, with their version and without the model.

        Raises:
            Untranslatable: Something would be lost, or is missing.
        """
        is_chat = url.rstrip("/").endswith("/chat/completions")
        params = chat_to_messages(body) if is_chat else dict(body)
        params.pop("model", None)
        for name in ("messages", "max_tokens"):
            if not params.get(name):
                raise Untranslatable(f"lacks {name}, which Claude requires in every request")
        if params.get("stream"):
            raise Untranslatable("sets stream, which batches do not support")
        return {"anthropic_version": self._vertex.anthropic_version, **params}

    def _family(self, row: RequestRow, body: dict[str, Any]) -> Family:
        """The family of a row: by its own shape, else by its model."""
        if row.url.rstrip("/").endswith("/messages") or (row.request and "messages" in body):
            return "claude"
        if "contents" in body or "content" in body:
            return "gemini"
        named = body.get("model")
        return model_of(named if isinstance(named, str) else "", self._vertex.publishers).family

    def _gemini_row(self, row: RequestRow, body: dict[str, Any]) -> dict[str, Any]:
        request = self._gemini.translated(row, body)
        if self._vertex.table:
            _check_table(request)
        if "content" in request:
            return {"key": row.id, "request": request}
        labels = request.get("labels")
        try:
            own = labels_of(row.id)
        except ValueError as error:
            raise Untranslatable(f"has an id too long for labels ({error})") from None
        kept = without_own_labels(labels if isinstance(labels, dict) else {})
        return {"request": {**request, "labels": {**kept, **own}}}

    def _open_row(self, row: RequestRow, body: dict[str, Any]) -> dict[str, Any]:
        url = row.url or "/v1/chat/completions"
        if not url.rstrip("/").endswith(("/chat/completions", "/completions", "/embeddings")):
            raise Untranslatable(f"has the url {url!r}, which open models do not support")
        model = model_of(body["model"], self._vertex.publishers)
        return {
            "custom_id": row.custom_id,
            "method": row.method,
            "url": url,
            "body": {**body, "model": model.name},
        }


_MOST_LEVELS = 15
_NOT_IN_NAMES = frozenset('!"$()*,./;?@[\\]^`{}~')
_SWITCH = "(vertex.table = false in the profile sends it all the same)"


def _check_table(value: Any, path: str = "request", level: int = 2) -> None:
    """Check for what a table cannot hold that rows are imported into before the job runs.

    Raises:
        Untranslatable: The row would fail the whole job.
    """
    if isinstance(value, list):
        for item in value:
            _check_table(item, path, level)
        return
    if not isinstance(value, dict):
        return
    if not value:
        raise Untranslatable(f"has an empty object at {path}, which fails the job {_SWITCH}")
    if level > _MOST_LEVELS:
        raise Untranslatable(f"has more than {_MOST_LEVELS} levels, which fails the job {_SWITCH}")
    for name, item in value.items():
        if not name or not _NOT_IN_NAMES.isdisjoint(name):
            raise Untranslatable(f"has the name {name!r} at {path}, which fails the job {_SWITCH}")
        _check_table(item, f"{path}.{name}", level + 1)
