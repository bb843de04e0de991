"""Single requests to Bedrock, and the list of its models.

Wire facts: botocore's service models ``bedrock-runtime/2023-09-30`` (``Converse``,
``InvokeModel``) and ``bedrock/2023-04-20`` (``ListFoundationModels``, ``ListInferenceProfiles``).
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote

from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.errors import BatchdeckError, InputError, KeyRejectedError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.base import BatchDialect
from tui.providers.dialects.batch_responses import text_at
from tui.providers.dialects.bedrock.rows import BedrockEncoder
from tui.providers.dialects.paging import iter_pages
from tui.providers.dialects.requests import ANSWER_REQUEST
from tui.providers.profiles.model import Listing
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.download import Download

_PROFILES = Listing(
    items="inferenceProfileSummaries",
    paging="token",
    limit_param="maxResults",
    cursor_param="nextToken",
    next="nextToken",
)


class BedrockRuntime(BatchDialect):
    """Requests to ``Converse`` and ``InvokeModel``; jobs are those of ``BedrockDialect``.

    Args:
        client: The client of the runtime, whose requests are signed or have a key.
        control: The client of Bedrock's own API, which lists the models.
        model: The model of requests that name none.
    """

    def __init__(self, client: HttpClient, control: HttpClient, model: str = "") -> None:
        super().__init__(client)
        self._control = control
        self._model = model
        self._lines = BedrockEncoder(client.profile.bedrock)

    def single_request(self, request: bytes) -> Call:
        """Build the call for one request, translated if necessary.

        Raises:
            InputError: It cannot be translated without loss, or names no model.
        """
        row = self._lines.read(request)
        model = row.model or self._model
        if not model:
            raise InputError(
                "the request names no model", 'Set "model" in its body, or params.model.'
            )
        action = "converse" if row.invocation == "Converse" else "invoke"
        return Call(
            "POST",
            f"/model/{quote(model, safe='')}/{action}",
            ANSWER_REQUEST,
            idempotent=False,
            json=row.body,
            read_timeout=self._profile.http.send_seconds,
        )

    async def models(self) -> list[str]:
        """List the models and inference profiles of the region, those without a right left out."""
        found: list[str] = []
        control = self._control
        try:
            reply = await control.ask(Call("GET", self._profile.paths.models, "list models"))
        except KeyRejectedError as error:
            if error.code != "AccessDeniedException":
                raise
            # Jobs can be created without the right to list models.
            return []
        summaries: Any = reply.table().get("modelSummaries")
        for each in summaries if isinstance(summaries, list) else ():
            if (name := text_at(each, "modelId")) is not None:
                found.append(name)
        try:
            async for items in iter_pages(
                control, "/inference-profiles", _PROFILES, what="list models"
            ):
                found += [name for item in items if (name := text_at(item, "inferenceProfileId"))]
        except BatchdeckError:
            # Regional names of the same models; jobs are created without this list.
            return found
        return list(dict.fromkeys(found))

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Not supported; see ``BedrockDialect.create``."""
        raise self.unsupported("batches without a bucket")

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Not supported; see ``BedrockDialect.download``."""
        raise self.unsupported("results without a bucket")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._control.aclose()
        await super().aclose()
