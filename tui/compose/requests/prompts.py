"""What a request asks for, per endpoint: its prompt and the length of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from tui.compose.requests.scaledown import Label, check_entities, check_labels
from tui.core.requests import CONVERSE_URL, INVOKE_URL, LIMIT_FIELDS
from tui.core.results.google.row_ids import id_in
from tui.core.text import quoted
from tui.errors import UsageError

PromptField = Literal["messages", "input", "prompt", "text"]

MESSAGES_URL = "/v1/messages"
"""The endpoint of ``{custom_id, params}`` rows (Anthropic Message Batches)."""

GEMINI_URL = "/v1beta/models:generateContent"
GEMINI_EMBEDDING_URL = "/v1beta/models:embedContent"
"""The endpoints of ``request`` rows (Gemini, Vertex AI); the model is in the body."""

ENDPOINTS_WITHOUT_OUTPUT = ("/embeddings", "/moderations", ":embedContent")
"""Endings of endpoints whose answers have no output tokens."""

SCALEDOWN_MODELS = frozenset({"summarize", "extract", "classify"})
"""The models of ScaleDown, which take ``text`` instead of ``messages``."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that an endpoint requires; ``prompt`` is ``None`` if unknown."""

    prompt: PromptField | None = None
    needs_model: bool = False


_BY_SUFFIX: tuple[tuple[str, Endpoint], ...] = (
    ("/chat/completions", Endpoint(prompt="messages", needs_model=True)),
    ("/completions", Endpoint(prompt="prompt", needs_model=True)),
    ("/messages", Endpoint(prompt="messages", needs_model=True)),
    ("/responses", Endpoint(prompt="input", needs_model=True)),
    ("/embeddings", Endpoint(prompt="input", needs_model=True)),
    ("/moderations", Endpoint(prompt="input")),
    ("/images/generations", Endpoint(prompt="prompt", needs_model=True)),
    ("/images/edits", Endpoint(prompt="prompt", needs_model=True)),
    ("/videos", Endpoint(prompt="prompt", needs_model=True)),
    (":generateContent", Endpoint(needs_model=True)),
    (":embedContent", Endpoint(needs_model=True)),
)
_UNKNOWN = Endpoint()


def endpoint_of(url: str) -> Endpoint:
    """Find the endpoint by the ending of its path; the prefix differs between hosts."""
    for suffix, endpoint in _BY_SUFFIX:
        if url.endswith(suffix):
            return endpoint
    return _UNKNOWN


class OwnRow(NamedTuple):
    """A row in the own form of Gemini, Vertex AI or Bedrock, in the parts of a request.

    Attributes:
        custom_id: Its id, as it is written; a row without one is named by its line.
        url: The endpoint.
        body: The request.
    """

    custom_id: Any
    url: str
    body: dict[str, Any]


def own_row(row: Mapping[str, Any], number: int = 0) -> OwnRow | None:
    """Read ``{key, request}`` (Gemini), ``{request}`` or ``{custom_id, request}`` (Vertex AI).

    And ``{recordId, modelInput}`` (Bedrock), where the id may be left out.

    Args:
        row: A row of a file.
        number: The number of its line, which names a row without an id.

    Returns:
        The row, whose model is named without ``models/``; ``None`` if it has another form.
    """
    if "modelInput" in row:
        return _bedrock_row(row, number)
    request = row.get("request")
    if not isinstance(request, dict) or any(name in row for name in _OTHER_FORMS):
        return None
    if "custom_id" in row:
        custom_id, url = row["custom_id"], _own_url(request)
        if not isinstance(request.get("messages"), list) and not _is_gemini(request):
            return None
    elif "key" in row:
        custom_id, url = row["key"], GEMINI_EMBEDDING_URL if "content" in request else GEMINI_URL
    elif _is_gemini(request):
        custom_id, url = id_in(request.get("labels")) or f"row-{number}", _own_url(request)
    else:
        return None
    model = request.get("model")
    if isinstance(model, str) and model.startswith("models/"):
        request = {**request, "model": model.removeprefix("models/")}
    return OwnRow(custom_id, url, request)


_OTHER_FORMS = ("body", "params", "response", "status")


def _is_gemini(request: Mapping[str, Any]) -> bool:
    return "contents" in request or "content" in request


def _own_url(request: Mapping[str, Any]) -> str:
    if _is_gemini(request):
        return GEMINI_EMBEDDING_URL if "content" in request else GEMINI_URL
    return MESSAGES_URL


_CONVERSE_FIELDS = frozenset(
    {"messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "outputConfig",
     "additionalModelRequestFields", "additionalModelResponseFieldPaths", "performanceConfig",
     "promptVariables", "requestMetadata", "serviceTier"}
)  # fmt: skip


def is_converse(body: Mapping[str, Any]) -> bool:
    """Whether a ``modelInput`` has the form of Bedrock's Converse, which all models share.

    Its content blocks have no type: a block's only key says what it is. Nova's own form looks the
    same, and may be sent as either, unless it has fields of its own.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or set(body) - _CONVERSE_FIELDS - {"model"}:
        return False
    config = body.get("inferenceConfig")
    if isinstance(config, dict) and "topK" in config:
        return False
    contents = [each.get("content") for each in messages if isinstance(each, dict)]
    return bool(contents) and all(
        isinstance(content, list)
        and all(isinstance(block, dict) and "type" not in block for block in content)
        for content in contents
    )


def _bedrock_row(row: Mapping[str, Any], number: int) -> OwnRow | None:
    """Read ``{recordId, modelInput}``; ``None`` if it has another form.

    A ``modelId`` beside them, which Bedrock ignores, becomes the model of the body.
    """
    body = row["modelInput"]
    if "custom_id" in row or not isinstance(body, dict) or "modelOutput" in row:
        return None
    url = CONVERSE_URL if is_converse(body) else INVOKE_URL
    model = row.get("modelId")
    named = {"model": model, **body} if isinstance(model, str) and model else body
    return OwnRow(row.get("recordId", f"row-{number}"), url, named)


def is_translated(url: str | None) -> bool:
    """Whether a row for this endpoint must be translated for a Messages provider."""
    return not (url or "").rstrip("/").endswith("/messages")


def has_content(value: Any) -> bool:
    """Whether a prompt has any content.

    The prompt may be a text, or a list of texts, token ids, messages, items or content parts.
    White space is no content; an image or a file is.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if item.strip():
                return True
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            inner = item.get("content", item.get("text"))
            if inner is not None:
                pending.append(inner)
            elif item.get("tool_calls") or ("content" not in item and len(item) > 1):
                return True
        elif isinstance(item, int) and not isinstance(item, bool):
            return True
    return False


class AnswerLength(NamedTuple):
    """What decides how long the answers to a request can be.

    ``limit`` is the longest answer in tokens, ``None`` if the request sets none that bounds it.
    ``choices`` is the number of answers; 0 for endpoints whose answers have no output tokens.
    """

    limit: int | None = None
    choices: int = 1


def answer_length(url: str, get: Callable[[str], Any]) -> AnswerLength:
    """The length of the answers to a request; ``get`` reads a field of its body."""
    if url.endswith(ENDPOINTS_WITHOUT_OUTPUT):
        return AnswerLength(0, 0)
    if url.endswith(":generateContent"):
        return _length_at_gemini(get)
    limits = [value for value in map(get, LIMIT_FIELDS) if value is not None]
    if not limits and url.endswith((INVOKE_URL, CONVERSE_URL)):
        limits = [_limit_at_bedrock(get)]
    # All of ``best_of`` are billed, and only ``n`` are returned.
    counts = [_count(get(name)) for name in CHOICE_FIELDS]
    longest = None if None in counts else _longest(limits)
    choices = max(count or 1 for count in counts)
    if url.endswith("/completions") and not url.endswith("/chat/completions"):
        choices *= _prompts_in(get("prompt"))
    return AnswerLength(longest, choices)


CHOICE_FIELDS = ("n", "best_of")
"""Fields with the number of answers to a prompt."""


def _prompts_in(prompt: Any) -> int:
    """How many prompts a request to complete has: a list of texts, or of lists of tokens."""
    if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int):
        return len(prompt)
    return 1


def _length_at_gemini(get: Callable[[str], Any]) -> AnswerLength:
    """The length of the answers of Gemini, which takes names in two spellings."""
    configs = [
        config
        for name in ("generationConfig", "generation_config")
        if isinstance(config := get(name), dict)
    ]

    def values(*names: str) -> list[Any]:
        found = (config.get(name) for config in configs for name in names)
        return [value for value in found if value is not None]

    longest = _longest(values("maxOutputTokens", "max_output_tokens"))
    choices = [_count(value) for value in values("candidateCount", "candidate_count")]
    if None in choices:
        longest = None
    return AnswerLength(longest, max((count or 1 for count in choices), default=1))


def _longest(limits: list[Any]) -> int | None:
    """The largest of the limits of a request; ``None`` without a limit that bounds its answer.

    Servers take a negative number, or one in another form, for no limit or refuse the request.
    """
    bounds = [value for value in limits if type(value) is int and value >= 0]
    return max(bounds) if bounds and len(bounds) == len(limits) else None


def _count(value: Any) -> int | None:
    """How many answers a request asks for; ``None`` if that is not clear."""
    if value is None:
        return 1
    return max(value, 1) if type(value) is int else None


def _limit_at_bedrock(get: Callable[[str], Any]) -> int | None:
    """The longest answer in the words of Converse and Nova, Titan, and Llama."""
    places = (("inferenceConfig", "maxTokens"), ("textGenerationConfig", "maxTokenCount"))
    for name, inner in places:
        config = get(name)
        if isinstance(config, dict) and type(config.get(inner)) is int:
            return int(config[inner])
    longest = get("max_gen_len")
    return longest if type(longest) is int else None


ReportProblem = Callable[..., None]
"""Reports a problem: its code, what is wrong, how to fix it, and optionally its severity."""

CHAT_ROLES = ("assistant", "developer", "function", "system", "tool", "user")
MESSAGES_ROLES = ("assistant", "user")
"""The roles of Anthropic's Messages, where the system message is a separate field."""

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def json_type(value: Any) -> str:
    """Describe the type of a JSON value for an error message."""
    return _KINDS.get(type(value), "a value")


def allowed_roles(url: str) -> tuple[str, ...]:
    """The roles that are valid for the messages of an endpoint."""
    return MESSAGES_ROLES if url.endswith("/messages") else CHAT_ROLES


def check_prompt(
    body: dict[str, Any],
    url: str,
    endpoint: Endpoint,
    model: str | None,
    add_problem: ReportProblem,
) -> None:
    """Report the problems of a body's prompt."""
    field = endpoint.prompt
    if field == "messages" and model in SCALEDOWN_MODELS and "messages" not in body:
        field = "text"
        _check_item(body, model, add_problem)
    if field is None:
        return
    value = body.get(field)
    allowed: tuple[type, ...] = {"messages": (list,), "text": (str,)}.get(field, (str, list, dict))
    if field == "input" and value is None and ("prompt" in body or "conversation" in body):
        return
    if not isinstance(value, allowed) or (value == [] and field == "messages"):
        what = f'no "{field}"' if value is None else f'"{field}" is {json_type(value)}'
        if value == []:
            what = f'"{field}" is empty'
        form = "a list of messages" if field == "messages" else "the prompt"
        add_problem("no_messages", what, f'Put {form} in "{field}" of the body.')
        return
    has_any = has_content(value)
    if not has_any:
        add_problem(
            "empty_prompt", "the prompt is empty", "Add a prompt, or drop the row.", "warning"
        )
    if isinstance(value, list) and field == "messages":
        _check_messages(value, allowed_roles(url), has_any, add_problem)


def _check_messages(
    messages: list[Any], roles: tuple[str, ...], has_any: bool, add_problem: ReportProblem
) -> None:
    has_user = has_user_text = False
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict):
            add_problem(
                "bad_role",
                f"message {number} is {json_type(message)}, not an object",
                'Write {"role": "user", "content": …}.',
            )
            continue
        role = message.get("role")
        if not isinstance(role, str) or not role:
            what = "has no role" if role in (None, "") else f"has {json_type(role)} as role"
            add_problem("bad_role", f"message {number} {what}", f"Use one of {', '.join(roles)}.")
        elif role not in roles:
            hint = f"Use one of {', '.join(roles)}."
            if role in ("system", "developer"):
                hint = 'Move it to "system" of the body.'
            add_problem(
                "bad_role", f"message {number} has the role {quoted(role, 20)}", hint, "warning"
            )
        if role == "user":
            has_user = True
            has_user_text = has_user_text or has_content([message])
    if has_any and has_user and not has_user_text:
        add_problem(
            "empty_prompt",
            "the user message is empty",
            "Add a message, or drop the row.",
            "warning",
        )


def _check_item(body: dict[str, Any], model: str | None, add_problem: ReportProblem) -> None:
    """Check the entities or labels of a request to ScaleDown."""
    try:
        if model == "extract":
            entities = body.get("entities")
            check_entities(entities if isinstance(entities, dict) else {})
        elif model == "classify":
            check_labels(_labels(body.get("labels")))
    except UsageError as error:
        add_problem("bad_item", error.message, error.hint)


def _labels(value: Any) -> tuple[Label, ...]:
    def text(item: dict[str, Any], name: str) -> str:
        return item[name] if isinstance(item.get(name), str) else ""

    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return tuple(Label(name=text(item, "name"), rubric=text(item, "rubric")) for item in items)


def is_complete_item(body: Any) -> bool:
    """Whether a typed ScaleDown body has all that its model needs; see ``UniformRows``."""
    try:
        if body.model == "classify":
            check_labels(tuple(body.labels or ()))
        elif body.model == "extract":
            check_entities(body.entities or {})
    except UsageError:
        return False
    return True
