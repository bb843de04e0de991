"""Gemini's batch jobs: rows with a key, a resumable upload, operations as batches.

Wire facts: ai.google.dev/gemini-api/docs/batch-api and /api/batch-api, google-genai 3.6.1
(``batches.py``, ``files.py``), npm @ai-sdk/google 4.0.121 (``google-batch.ts``).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from tui.core.jobs import BatchStatus, RemoteCounts, is_terminal
from tui.core.remote_batches import BatchIssue, RemoteBatch, ResultSource
from tui.core.retry_rules import status_name
from tui.errors import InputError, KeyRejectedError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.batch_responses import name_of, number_at, text_at, value_at
from tui.providers.dialects.files import FilesDialect
from tui.providers.dialects.google.gemini_requests import chat_to_gemini, embedding_to_gemini
from tui.providers.dialects.google.resumable_upload import ResumableUpload
from tui.providers.dialects.google.rows import RequestRow, read_row
from tui.providers.dialects.requests import ANSWER_REQUEST, Untranslatable
from tui.providers.profiles.model import GeminiRows
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.download import RETURN_RESULTS, Download

_BATCHES = "batches/"
_FILES = "files/"
_MODELS = "models/"
_GONE_FILE = "or it may not exist"
_RESULT_FILE = "files/batch-"
_INLINE = "inline:"
_EMBED = re.compile(r"/embeddings$|[:/](?:asyncBatch|batch)?[eE]mbedContents?$")
_GENERATE = re.compile(r"[:/]generateContent$")
_PARTS_OF_PROMPT = frozenset({"contents"})
_CANCELLED_CODE = 1
_UPLOADS = 3
"""How often a file is sent while the last answer does not name it, as it happens now and then
(googleapis/python-genai 1248): a file costs nothing."""

_READY = ("ACTIVE", "STATE_UNSPECIFIED")
_NOTHING_KEPT = frozenset({BatchStatus.CANCELLED, BatchStatus.EXPIRED, BatchStatus.FAILED})


_encode = msgspec.json.Encoder().encode


class GeminiEncoder:
    """Encodes request lines as rows of a Gemini batch.

    Args:
        rows: ``native`` writes ``{"key", "request"}``; ``openai`` leaves rows as they are.
    """

    def __init__(self, rows: GeminiRows) -> None:
        self._rows = rows

    def write(self, line: bytes) -> bytes:
        """Encode one request line.

        Raises:
            InputError: The line is not a request, or cannot be translated without loss.
        """
        custom_id, request = self.read(line)
        if self._rows == "openai":
            return line
        return _encode({"key": custom_id, "request": request})

    def read(self, line: bytes) -> tuple[str, dict[str, Any]]:
        """The id of a request line, and its request in Gemini's own shape.

        Raises:
            InputError: The line is not a request, or cannot be translated without loss.
        """
        row, body = read_row(line)
        try:
            return row.id, self.translated(row, body)
        except Untranslatable as error:
            raise InputError(
                f"{row.subject} {error}",
                "Change the request, or write the line as key and request.",
            ) from None

    def translated(self, row: RequestRow, body: dict[str, Any]) -> dict[str, Any]:
        """The request of a line in Gemini's own shape.

        Raises:
            Untranslatable: Something would be lost.
        """
        url = row.url.rstrip("/")
        if row.request or _GENERATE.search(url) or (_EMBED.search(url) and "content" in body):
            if self._rows == "openai":
                raise Untranslatable("has Gemini's own shape, but gemini.rows is openai")
            return _checked_own(body)
        if _EMBED.search(url):
            return embedding_to_gemini(body)
        if url.endswith("/chat/completions"):
            return chat_to_gemini(body)
        raise Untranslatable(f"has the url {row.url!r}, which Gemini does not support")


def _checked_own(body: dict[str, Any]) -> dict[str, Any]:
    """A request in Gemini's own shape without its model, which the whole batch has.

    Raises:
        Untranslatable: It has the shape of the SDK, which the API refuses or drops.
    """
    if "config" in body:
        raise Untranslatable(
            'has "config", which only the SDK takes: write generationConfig, systemInstruction …'
        )
    if not ("contents" in body or "content" in body):
        raise Untranslatable('has neither "contents" nor "content"')
    return {name: value for name, value in body.items() if name != "model"}


class GeminiDialect(FilesDialect):
    """Batch jobs of the Gemini API.

    Args:
        client: The HTTP client of the account.
    """

    def __init__(self, client: HttpClient) -> None:
        super().__init__(client)
        self._lines = GeminiEncoder(client.profile.gemini.rows)

    @property
    def passes_through(self) -> bool:
        """Always false: every line is translated or checked."""
        return False

    def encode_line(self, request: bytes) -> bytes:
        """Encode a request line; see ``GeminiEncoder.write``."""
        return self._lines.write(request)

    async def upload(self, path: Path, *, name: str, progress: Progress = NO_PROGRESS) -> str:
        """Upload a file of rows and wait until it can be used; returns ``files/ID``."""
        upload = ResumableUpload(
            self._client,
            self._outside("upload", "/files"),
            path,
            content_type=self._profile.upload.content_type,
            name=_display_name(name),
            progress=progress,
        )
        for _ in range(_UPLOADS):
            reply = await upload.run()
            file = value_at(reply.table(), "file")
            file_id = text_at(file, "name")
            if file_id is not None:
                break
        else:
            raise reply.unexpected("does not name the file")
        call = Call("GET", self.route("file", _bare(file_id, _FILES)), "report the file's status")

        async def fetch() -> Any:
            return (await self._client.ask(call)).table()

        await self.until_processed(fetch, file, "state", _READY)
        self.note_upload(file_id)
        return file_id

    def create_from_file(self, draft: BatchDraft) -> Call:
        """Build the create call; its route names the model, and its name is the intent."""
        embeds = _EMBED.search(draft.endpoint.rstrip("/")) is not None
        batch = {
            "displayName": name_of(draft.intent),
            "inputConfig": {"fileName": draft.file_id},
        }
        path = _model_route(draft.model, "asyncBatchEmbedContent")
        if not embeds:
            path = self.route("create", _bare(draft.model, _MODELS))
        return replace(self.create_call(draft), path=path, json={"batch": batch})

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open a result file, or the results inside the batch itself."""
        if source.ref.startswith(_INLINE):
            return self._inline_results(source)
        name = quote(_bare(source.ref, _FILES), safe="")
        path = self._outside("download", f"/files/{name}:download?alt=media")
        return self._downloader.open(source, path, have_bytes=have_bytes, have_lines=have_lines)

    @asynccontextmanager
    async def _inline_results(self, source: ResultSource) -> AsyncIterator[Download]:
        batch_id = source.ref.removeprefix(_INLINE)
        call = Call("GET", self.route("get", batch_id), RETURN_RESULTS)
        operation = (await self._client.ask(call)).table()
        # The answers come in any order: the place of one tells whose it is only where rows have
        # no keys of their own, which those of a file have.
        number_as_key = "an answer without a key, {}"
        if text_at(operation, self._profile.batch.input) is None:
            number_as_key = "request-{}"

        async def lines() -> AsyncIterator[bytes]:
            for number, item in enumerate(_inline_items(operation)):
                key = text_at(item, ("metadata.key", "key")) or number_as_key.format(number)
                answer = {name: item[name] for name in ("response", "error") if name in item}
                yield _encode({"key": key, **answer}) + b"\n"

        yield Download(lines(), appends=False, growing=source.growing, total=None)

    async def delete_file(self, file_id: str) -> None:
        """Delete an input file, if it is still there; result files cannot be deleted, and expire.

        Raises:
            KeyRejectedError: The key may not delete it.
        """
        if not self.capabilities.deletes_files:
            raise self.unsupported("deleting files")
        if file_id.startswith(_RESULT_FILE):
            raise self.unsupported("deleting result files")
        name = _bare(file_id, _FILES)
        call = self.build_call("file_delete", name, "delete the file", method="DELETE")
        try:
            await self._delete(call)
        except KeyRejectedError as error:
            # So it says of a file that was deleted before, by us or after its 48 hours.
            if error.status != 403 or _GONE_FILE not in error.message:
                raise

    async def files_named(self, name: str, *, created_after: float) -> list[str] | None:
        """The ids of the input files of an upload; see ``Dialect.files_named``.

        The order of the list is not promised, so all of it is read.
        """

        def id_of(item: Mapping[str, Any]) -> str | None:
            named = text_at(item, "displayName") == _display_name(name)
            return text_at(item, "name") if named else None

        return await self.listed_files(id_of, items="files")

    async def models(self) -> list[str]:
        """List the models that take batches, or do not say whether they do."""
        found: list[str] = []
        listing = msgspec.structs.replace(self._profile.listing, items="models")
        async for items in self.pages(self._profile.paths.models, "list models", listing):
            for item in items:
                methods = item.get("supportedGenerationMethods")
                batches = {"batchGenerateContent", "asyncBatchEmbedContent"}
                if (name := text_at(item, "name")) and (
                    not isinstance(methods, list) or batches & set(methods)
                ):
                    found.append(_bare(name, _MODELS))
        return list(dict.fromkeys(found))

    def single_request(self, request: bytes) -> Call:
        """Build the call for one request, translated if necessary."""
        if not self.capabilities.answers_single_requests:
            raise self.unsupported("single requests")
        model, body, embeds = self._single(request)
        return Call(
            "POST",
            _model_route(model, "embedContent" if embeds else "generateContent"),
            ANSWER_REQUEST,
            idempotent=False,
            json=body,
            read_timeout=self._profile.http.send_seconds,
        )

    async def count_tokens(self, request: bytes) -> int:
        """Ask the provider to count the prompt tokens of a request line; free.

        Raises:
            InputError: The request cannot be expressed in this dialect.
            UnexpectedResponseError: The response contains no count.
        """
        model, body, embeds = self._single(request)
        if embeds:
            body = {"contents": [body["content"]]}
        elif set(body) - {*_PARTS_OF_PROMPT, "generationConfig"}:
            whole = {"model": f"{_MODELS}{_bare(model, _MODELS)}", **body}
            body = {"generateContentRequest": whole}
        else:
            body = {"contents": body["contents"]}
        path = self.route("count_tokens", _bare(model, _MODELS))
        call = Call("POST", path, "count tokens", json=body)
        reply = await self._client.ask(call)
        tokens = number_at(reply.table(), "totalTokens")
        if tokens is None:
            raise reply.unexpected("contains no token count")
        return tokens

    def _single(self, request: bytes) -> tuple[str, dict[str, Any], bool]:
        """The model of a request line, its request, and whether it is for embeddings."""
        _, body = GeminiEncoder("native").read(request)
        model = read_row(request)[1].get("model")
        if not isinstance(model, str) or not model:
            raise InputError("the request names no model", 'Set "model" in its body.')
        return model, body, "content" in body

    def _outside(self, service: str, route: str) -> str:
        """The address of a route of the services beside the API: ``/upload/v1beta/files``."""
        base = self._client.address.base
        prefix, _, version = base.raw_path.decode("ascii").rstrip("/").rpartition("/")
        if not re.fullmatch(r"v\d\w*", version):
            prefix, version = f"{prefix}/{version}".rstrip("/"), "v1beta"
        origin = str(base.copy_with(raw_path=b"/")).rstrip("/")
        return f"{origin}{prefix}/{service}/{version}{route}"

    def _read(self, value: Mapping[str, Any], now: float | None = None) -> RemoteBatch | None:
        name = text_at(value, ("name", "metadata.name"))
        if name is None or not name.startswith(_BATCHES):
            return None
        batch_id = _bare(name, _BATCHES)
        slim = _without_results(value)
        batch = super()._read({**slim, "name": batch_id}, now)
        if batch is None:
            return None
        status = _final_status(value, batch.status)
        results = _results(value, batch_id) if is_terminal(status) else ()
        counts = _counts(value, batch.counts, self._rows.get(name), status)
        if status in _NOTHING_KEPT and not results:
            # What it had answered is lost with it.
            counts = RemoteCounts(total=counts.total, completed=0, failed=0)
        return msgspec.structs.replace(
            batch,
            status=status,
            raw_status=batch.raw_status or status.value,
            counts=counts,
            results=results,
            issues=tuple(map(_named_issue, batch.issues)),
            ended_at=batch.ended_at if is_terminal(status) else None,
            raw=slim,
        )


def _display_name(name: str) -> str:
    """The name of an uploaded file, which its id does not show."""
    return name.removesuffix(".jsonl")


def _bare(name: str, prefix: str) -> str:
    return name.removeprefix(prefix)


def _model_route(model: str, verb: str) -> str:
    """The route of an action of a model.

    Raises:
        InputError: No model is named.
    """
    if not model:
        raise InputError("the requests name no model", "Set it: --model, or --set model=NAME.")
    return f"/models/{quote(_bare(model, _MODELS), safe='')}:{verb}"


_OUTPUTS = ("metadata.output", "response")


def _inline_items(operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The results inside an operation, at either of the places that clients know."""
    for place in _OUTPUTS:
        for name in ("inlinedResponses", "inlinedEmbedContentResponses"):
            found = value_at(operation, f"{place}.{name}.inlinedResponses")
            found = value_at(operation, f"{place}.{name}") if found is None else found
            if isinstance(found, list) and found:
                return [item for item in found if isinstance(item, dict)]
    return []


def _without_results(operation: Mapping[str, Any]) -> dict[str, Any]:
    """The operation without results, which may be large, but not their file."""
    slim = dict(operation)
    metadata = slim.get("metadata")
    if isinstance(metadata, Mapping):
        metadata = {name: inner for name, inner in metadata.items() if name != "output"}
        file = value_at(operation, "metadata.output.responsesFile")
        slim["metadata"] = {**metadata, "output": {"responsesFile": file}} if file else metadata
    if isinstance(slim.get("response"), Mapping):
        file = value_at(operation, "response.responsesFile")
        slim["response"] = {"responsesFile": file} if file else {}
    return slim


def _results(operation: Mapping[str, Any], batch_id: str) -> tuple[ResultSource, ...]:
    file = text_at(operation, tuple(f"{place}.responsesFile" for place in _OUTPUTS))
    if file is not None:
        return (ResultSource(kind="output", ref=file, deletable=False),)
    if _inline_items(operation):
        return (ResultSource(kind="output", ref=f"{_INLINE}{batch_id}", deletable=False),)
    return ()


def _final_status(operation: Mapping[str, Any], status: BatchStatus) -> BatchStatus:
    """The status of an operation that is done, whatever its word says."""
    if operation.get("done") is not True or is_terminal(status):
        return status
    error = operation.get("error")
    if isinstance(error, Mapping) and error:
        is_cancel = number_at(error, "code") == _CANCELLED_CODE
        return BatchStatus.CANCELLED if is_cancel else BatchStatus.FAILED
    return BatchStatus.COMPLETED


def _counts(
    operation: Mapping[str, Any], found: RemoteCounts, rows: int | None, status: BatchStatus
) -> RemoteCounts:
    """The counts, in which numbers that are zero may be left out."""
    if not isinstance(value_at(operation, "metadata.batchStats"), Mapping):
        return RemoteCounts(total=rows)
    total = found.total or rows
    if total is None and not is_terminal(status):
        return RemoteCounts()
    return RemoteCounts(total=total, completed=found.completed or 0, failed=found.failed or 0)


def _named_issue(issue: BatchIssue) -> BatchIssue:
    return msgspec.structs.replace(issue, code=status_name(issue.code) or issue.code)
