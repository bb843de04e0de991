"""The forms of rows that are known: requests, results and training data of each provider."""

from __future__ import annotations

from typing import NamedTuple

from tui.compose.requests.signatures import AS_TABLE, FileKind


class Form(NamedTuple):
    """What rows of one form are, and what can be done with their file (``{file}``)."""

    kind: FileKind
    what: str
    can: str


_RESULTS = (
    "`batchdeck import-results REQUESTS {file}` opens them with their requests as a job;"
    f" {AS_TABLE}"
)
FORMS: dict[str, Form] = {
    "openai": Form("requests", "OpenAI batch requests (custom_id, method, url, body)", ""),
    "azure": Form("requests", "Azure OpenAI batch requests (url without /v1)", ""),
    "anthropic": Form("requests", "Anthropic batch requests (custom_id, params)", ""),
    "mistral": Form(
        "convertible",
        "Mistral batch requests (custom_id, body, without method and url)",
        "`batchdeck compose {file} -o NEW.jsonl` adds method and url",
    ),
    "scaledown": Form(
        "convertible",
        "ScaleDown requests (custom_id, model, text)",
        "`batchdeck compose {file} -o NEW.jsonl` converts them",
    ),
    "gemini": Form(
        "requests",
        "Gemini batch requests (key, request)",
        "A Gemini account sends them unchanged; `batchdeck compose {file} -m MODEL -o NEW.jsonl`"
        " sets the model in each, and turns texts into chat requests",
    ),
    "gemini-bodies": Form(
        "foreign",
        "Gemini request bodies (contents) without a key",
        f"No account can send this format; {AS_TABLE}",
    ),
    "vertex": Form(
        "requests",
        "Vertex AI batch requests of Gemini (request)",
        "A Vertex AI account sends them unchanged; `batchdeck compose {file} -m MODEL -o NEW.jsonl`"
        " turns texts into chat requests",
    ),
    "bedrock": Form(
        "requests",
        "Amazon Bedrock batch requests (recordId, modelInput)",
        "A Bedrock account sends them unchanged; `batchdeck compose {file} -m MODEL -o NEW.jsonl`"
        " turns those of Anthropic's models into Messages requests",
    ),
    "openai-results": Form(
        "results", "results of an OpenAI-style batch (custom_id, response, error)", _RESULTS
    ),
    "anthropic-results": Form(
        "results", "results of an Anthropic batch (custom_id, result)", _RESULTS
    ),
    "batchdeck-results": Form(
        "results", "result rows as Batchdeck writes them (custom_id, outcome, text)", AS_TABLE
    ),
    "gemini-results": Form("results", "results of a Gemini batch (key, response)", _RESULTS),
    "vertex-results": Form(
        "results", "results of a Vertex AI batch (request, response, status)", _RESULTS
    ),
    "bedrock-results": Form(
        "results", "results of an Amazon Bedrock batch (recordId, modelOutput)", _RESULTS
    ),
    "chat-training": Form(
        "training",
        "fine-tuning data (messages that end with an answer, no custom_id)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "completion-training": Form(
        "training",
        "fine-tuning data (prompt, completion)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "preference-training": Form(
        "training",
        "preference fine-tuning data (input, preferred_output)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "gemini-training": Form(
        "training",
        "fine-tuning data of Vertex AI (contents that end with an answer)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "shared-training": Form(
        "training",
        "fine-tuning data (conversations)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "pair-training": Form(
        "training",
        "preference fine-tuning data (prompt, chosen, rejected)",
        f"It is training data, not a batch; {AS_TABLE}",
    ),
    "eval-items": Form(
        "training",
        "data of an evaluation (item)",
        f"It is not a batch; {AS_TABLE}, such as {{{{item.question}}}}",
    ),
    "xai": Form(
        "foreign",
        "xAI batch requests in its own form (batch_request_id, batch_request)",
        "Write them as custom_id, method, url and body, which xAI takes as a file as well;"
        f" {AS_TABLE}",
    ),
    "xai-results": Form(
        "results",
        "results of an xAI batch in its own form (batch_request_id, batch_result)",
        AS_TABLE,
    ),
    "gemini-inline": Form(
        "foreign",
        "Gemini batch requests as they are sent inline (request, metadata)",
        f'Write each as {{{{"key": …, "request": …}}}} on a line of its own; {AS_TABLE}',
    ),
    "gemini-inline-results": Form(
        "results",
        "results of a Gemini batch as they are given inline (response, metadata)",
        f'Write each as {{{{"key": …, "response": …}}}} on a line of its own; {AS_TABLE}',
    ),
    "vertex-embedding-results": Form(
        "results",
        "results of a Vertex AI batch of embeddings (instance, predictions)",
        AS_TABLE,
    ),
    "batch": Form(
        "foreign",
        "the description of a batch, not its requests or results",
        "Its results are in the file of output_file_id: `batchdeck adopt` brings them",
    ),
    "manifest": Form(
        "foreign",
        "the counts of an Amazon Bedrock batch, not its results",
        "Its results are in the .jsonl.out file beside it",
    ),
    "answers": Form(
        "foreign",
        "answers of a provider without custom_id, which belong to no request",
        AS_TABLE,
    ),
    "api-error": Form(
        "foreign",
        "an error of a provider in place of a file",
        "Download it again",
    ),
    "validation-errors": Form(
        "foreign",
        "errors of OpenAI's check of a batch file (line, code, message)",
        f"Fix these lines of the requests and send them again; {AS_TABLE}",
    ),
    "bodies": Form(
        "rows",
        "request bodies (model, messages) without custom_id, method and url",
        f"`batchdeck compose {{file}} -o NEW.jsonl` adds them; {AS_TABLE}",
    ),
    "embedding-bodies": Form(
        "rows",
        "request bodies (model, input) without custom_id, method and url",
        f"`batchdeck compose {{file}} -o NEW.jsonl` adds them; {AS_TABLE}",
    ),
    "conversations": Form(
        "rows",
        "conversations (messages) without a model",
        f"`batchdeck compose {{file}} -m MODEL -o NEW.jsonl` makes a chat request of each;"
        f" {AS_TABLE}",
    ),
    "request-pairs": Form(
        "results",
        "requests with their responses, as OpenAI's parallel processor writes them",
        AS_TABLE,
    ),
}
