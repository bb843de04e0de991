"""Bedrock's model invocation jobs: rows and results in a bucket, one model for a job.

Wire facts: botocore's service model ``bedrock/2023-04-20``, and docs.aws.amazon.com/bedrock/latest/
userguide/batch-inference-data, batch-inference-results.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
)
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from tui.core.jobs import BatchStatus, RemoteCounts, is_terminal
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.errors import (
    BatchdeckError,
    ConfigError,
    InputError,
    ProviderError,
    RequestRejectedError,
    ResponseLostError,
)
from tui.logs import LOGGER
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, Capabilities
from tui.providers.dialects.batch_responses import number_at, text_at
from tui.providers.dialects.bedrock.explanations import explained, role_hint
from tui.providers.dialects.bedrock.identity import IdentityCheck
from tui.providers.dialects.bedrock.rows import BedrockEncoder, invocation_of
from tui.providers.dialects.bedrock.runtime import BedrockRuntime
from tui.providers.dialects.files import FilesDialect
from tui.providers.dialects.requests import create_body
from tui.providers.stores.folder import FolderReader
from tui.providers.stores.s3 import S3Store
from tui.providers.wire.client import HttpClient
from tui.providers.wire.download import Download
from tui.providers.wire.errors import may_have_acted
from tui.providers.wire.retry import with_retries

_CREATES = 3
"""How often a create is sent while its response is lost; Bedrock carries it out once."""

_ARN = re.compile(r"arn:aws[\w-]*:bedrock:([\w-]+):\d*:model-invocation-job/(\w+)")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/\S+")
_INPUT = ".jsonl"
_OUTPUT = ".jsonl.out"
_MANIFEST = "manifest.json.out"
_NOTHING_RAN = frozenset({BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED})


class BedrockDialect(FilesDialect):
    """Model invocation jobs of one region, with a bucket and a role of the user's.

    Args:
        client: The client of Bedrock's own API, whose requests are signed or have a key.
        store: The bucket.
        params: The account's own values: ``role_arn``, ``bucket``, ``region``, and perhaps
            ``model`` (of rows that name none), ``kms_key`` and ``bucket_owner``.
        runtime: Sends single requests.
        identity: Asks who is signed in, and whom the role trusts.

    Raises:
        ConfigError: The account names no role, or something else than a role.
    """

    def __init__(
        self,
        client: HttpClient,
        store: S3Store,
        params: Mapping[str, str],
        runtime: BedrockRuntime,
        identity: IdentityCheck,
    ) -> None:
        super().__init__(client, store)
        self._bucket = store
        self._params = params
        self._runtime = runtime
        self._identity = identity
        self._lines = BedrockEncoder(client.profile.bedrock)
        self._folder = FolderReader(store, _OUTPUT)
        self._manifests: dict[str, dict[str, Any]] = {}
        role = params.get("role_arn", "")
        if not _ROLE.fullmatch(role):
            what = f"{role!r} is not the ARN of a role" if role else "the account has no role_arn"
            raise ConfigError(
                f"{client.profile.name} reads and writes your bucket with a role, and {what}",
                "Set params.role_arn of the account, such as arn:aws:iam::111122223333:role/NAME.",
            )

    @property
    def capabilities(self) -> Capabilities:
        """As the profile says; a create is carried out once."""
        return replace(super().capabilities, creates_once=True)

    @property
    def passes_through(self) -> bool:
        """Always false: every line is translated or checked."""
        return False

    def encode_line(self, request: bytes) -> bytes:
        """Encode a request line; see ``BedrockEncoder.write``.

        Raises:
            InputError: It cannot be translated without loss, or no model is named anywhere.
        """
        row = self._lines.read(request)
        if not (row.model or self._params.get("model")):
            raise InputError(
                f"Request {row.record_id!r} names no model",
                "Set it for all rows: `--set model=NAME`, or params.model of the account.",
            )
        return row.line

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a job. One whose response was lost is sent again with the same token.

        Bedrock ignores a repetition of a token without an error. A refusal after a lost response
        does not prove that the first create was refused, so the loss is what is reported.

        Raises:
            ResponseLostError: The job may exist; the list does not show it.
            BatchdeckError: The job was certainly not created.
        """
        body = self._body(draft)
        call = replace(self.create_call(draft), json=body)
        lost: ProviderError | None = None

        def note(error: BatchdeckError) -> bool:
            nonlocal lost
            if isinstance(error, ProviderError) and may_have_acted(error):
                lost = error
                return True
            return False

        try:
            with self._explained():
                reply = await with_retries(
                    lambda: self._client.ask(call),
                    should_retry=note,
                    attempts=_CREATES,
                    first=self._profile.http.first_pause,
                )
        except BatchdeckError as error:
            found = await self._created_before(body["jobName"], error, lost)
            if found is None:
                raise
            return found
        value = {**body, "status": "Submitted", **reply.table()}
        batch_id = _bare(text_at(value, "jobArn") or "")
        self._rows[batch_id] = draft.rows
        batch = self._read(value)
        if batch is None:
            raise reply.unexpected("names no job")
        return batch

    async def _created_before(
        self, name: str, error: BatchdeckError, lost: ProviderError | None
    ) -> RemoteBatch | None:
        """The job of an earlier create of this name, after the last one failed.

        Raises:
            ResponseLostError: The list does not show it, and an earlier create may have made it.
        """
        conflict = isinstance(error, ProviderError) and error.code == "ConflictException"
        if lost is None and not conflict:
            return None
        try:
            async for batch in self.jobs_named(name):
                return batch
        except BatchdeckError as second:
            LOGGER.info("looking for the job %s: %s", name, second.message)
        first = lost or error
        if error is first and not conflict:
            return None
        raise ResponseLostError(first.message, first.hint, status=first.status) from error

    def _body(self, draft: BatchDraft) -> dict[str, Any]:
        """The body of a create.

        Raises:
            InputError: No model is named, or the window is not one of Bedrock's.
        """
        model = draft.model or self._params.get("model", "")
        if not model:
            raise InputError(
                "the requests name no model",
                "Set it: `--set model=NAME`, or params.model of the account.",
            )
        source = draft.file_id or ""
        folder = source.rpartition("/")[0]
        owner = {"s3BucketOwner": o} if (o := self._params.get("bucket_owner")) else {}
        key = {"s3EncryptionKeyId": k} if (k := self._params.get("kms_key")) else {}
        output = f"{folder}/{draft.intent}/"
        body = create_body(replace(draft, model=model, file_id=None), self._profile)
        return {
            "roleArn": self._params["role_arn"],
            "modelInvocationType": invocation_of(model, draft.endpoint, self._profile.bedrock.rows),
            "inputDataConfig": {
                "s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": source, **owner}
            },
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": output, **key, **owner}},
            **body,
        }

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Fetch the current state of a job, with the counts of its manifest if it lacks them."""
        bare = self._here(batch_id)
        with self._explained():
            batch = await super().retrieve(bare)
        return await self._with_files(batch) if is_terminal(batch.status) else batch

    async def _with_files(self, batch: RemoteBatch) -> RemoteBatch:
        """An ended job with what is in its folder: the manifest, and whether there are results."""
        if not batch.results:
            return batch
        (source,) = batch.results
        folder = source.ref.rpartition("/")[0] + "/"
        manifest = await self._manifest(batch.id, folder)
        counts = batch.counts
        if manifest is not None:
            if counts.completed is None:
                counts = RemoteCounts(
                    total=number_at(manifest, "totalRecordCount") or counts.total,
                    completed=number_at(manifest, "successRecordCount"),
                    failed=number_at(manifest, "errorRecordCount"),
                )
            counts = msgspec.structs.replace(
                counts,
                input_tokens=number_at(manifest, "inputTokenCount"),
                output_tokens=number_at(manifest, "outputTokenCount"),
            )
            batch = msgspec.structs.replace(
                batch, counts=counts, raw={**batch.raw, "manifest": manifest}
            )
        elif (
            batch.status in _NOTHING_RAN
            and not (counts.completed or counts.failed)
            and not await self._exists(source.ref)
        ):
            # It ended before its first row, and then there is no file.
            batch = msgspec.structs.replace(batch, results=())
        return batch

    async def _manifest(self, batch_id: str, folder: str) -> dict[str, Any] | None:
        if batch_id in self._manifests:
            return self._manifests[batch_id]
        try:
            content = await self._bucket.read(f"{folder}{_MANIFEST}")
        except BatchdeckError as error:
            # Without the right to list, a file that is missing looks as if it were forbidden.
            LOGGER.info("the manifest of %s: %s", batch_id, error.message)
            return None
        try:
            found = decode_lenient(content) if content else None
        except UnreadableLineError:
            found = None
        if not isinstance(found, dict):
            return None
        self._manifests[batch_id] = found
        return found

    async def _exists(self, ref: str) -> bool:
        try:
            if not ref.endswith("/"):
                return await self._bucket.has(ref)
            async for key in self._bucket.keys(self._bucket.key_of(ref)):
                if key.endswith(_OUTPUT):
                    return True
        except ConfigError:
            return False
        return False

    async def list_batches(
        self, *, created_after: float | None = None
    ) -> AsyncIterator[RemoteBatch]:
        """List the jobs of the region, newest first; see ``Dialect.list_batches``."""
        query = {}
        if created_after is not None:
            moment = datetime.fromtimestamp(max(created_after - 300.0, 0.0), UTC)
            query["submitTimeAfter"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        async for batch in self._listed(query):
            yield batch

    async def jobs_named(self, name: str) -> AsyncIterator[RemoteBatch]:
        """The jobs with exactly this name."""
        async for batch in self._listed({"nameContains": name}):
            if text_at(batch.raw, "jobName") == name:
                yield batch

    async def _listed(self, query: Mapping[str, str]) -> AsyncIterator[RemoteBatch]:
        order = {"sortBy": "CreationTime", "sortOrder": "Descending"}
        path = f"{self._profile.paths.list}?{urlencode({**order, **query})}"
        with self._explained():
            async for items in self.pages(path, "list batches", whole=True):
                for item in items:
                    if (batch := self._read(item)) is not None:
                        yield batch

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Stop a job; the rows that are done keep their results."""
        bare = self._here(batch_id)
        with self._explained():
            return await super().cancel(bare)

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open the results of a job: one file, or all files of its folder one after another."""
        if source.ref.endswith("/"):
            # Which of its files are as they were is not known, so it is read from the start.
            return self._folder.open(source)
        return self._output(source, have_bytes)

    @asynccontextmanager
    async def _output(self, source: ResultSource, have_bytes: int) -> AsyncIterator[Download]:
        try:
            async with self._bucket.open(source, have_bytes=have_bytes, rewritten=True) as download:
                yield download
        except ConfigError as error:
            if source.growing and error.status == 403:
                # Without the right to list, S3 says so of a file that is not there yet.
                raise RequestRejectedError(error.message, error.hint, status=404) from error
            raise

    async def delete_file(self, file_id: str) -> None:
        """Delete the input of a job, or its results with their manifest."""
        if file_id.endswith("/"):
            await self._folder.delete(file_id)
            return
        await self._bucket.delete(file_id)
        if file_id.endswith(_OUTPUT):
            await self._bucket.delete(f"{file_id.rpartition('/')[0]}/{_MANIFEST}")

    async def ask(self, request: bytes) -> bytes:
        """Send one request synchronously; see ``Dialect.ask``."""
        with self._explained():
            return await self._runtime.ask(request)

    async def models(self) -> list[str]:
        """List the models and inference profiles of the region."""
        with self._explained():
            return await self._runtime.models()

    async def check_identity(self) -> tuple[str, ...]:
        """Who is signed in to AWS, and whether Bedrock may use the role, one sentence each.

        Raises:
            ConfigError: The role cannot be used.
            KeyRejectedError: The sign-in has ended, or is not valid.
        """
        return await self._identity.run()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._identity.aclose()
        await self._runtime.aclose()
        await super().aclose()

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._params, with_key=self._client.has_key)

    def _here(self, batch_id: str) -> str:
        """The id of a job of this region, from its id or ARN.

        Raises:
            ConfigError: It is in another region.
        """
        match = _ARN.fullmatch(batch_id)
        region = self._params.get("region", "")
        if match and match[1] != region:
            raise ConfigError(
                f"the job is in {match[1]}, and the account in {region}",
                "Add an account with params.region of the job.",
            )
        return _bare(batch_id)

    def _read(self, value: Mapping[str, Any], now: float | None = None) -> RemoteBatch | None:
        batch_id = _bare(text_at(value, "jobArn") or text_at(value, "id") or "")
        batch = super()._read({**value, "jobArn": batch_id}, now) if batch_id else None
        if batch is None:
            return None
        counts, status = batch.counts, batch.status
        if counts.total is None and (rows := self._rows.get(batch_id)):
            counts = msgspec.structs.replace(counts, total=rows)
        if status is BatchStatus.EXPIRED and counts.are_full:
            status = BatchStatus.COMPLETED
        issues = batch.issues if status in _NOTHING_RAN else ()
        return msgspec.structs.replace(
            batch,
            status=status,
            counts=counts,
            results=_results(value, batch_id, growing=not is_terminal(status)),
            issues=tuple(
                msgspec.structs.replace(
                    each, message=" ".join(filter(None, (each.message, self._hint(each.message))))
                )
                for each in issues
            ),
            raw=dict(value),
        )

    def _hint(self, message: str) -> str:
        return role_hint(message, self._params)


def _bare(batch_id: str) -> str:
    return batch_id.rpartition("/")[2]


def _results(value: Mapping[str, Any], batch_id: str, *, growing: bool) -> tuple[ResultSource, ...]:
    """The results of a job: the file named after its input, or the folder if that is one too."""
    source = text_at(value, "inputDataConfig.s3InputDataConfig.s3Uri") or ""
    output = text_at(value, "outputDataConfig.s3OutputDataConfig.s3Uri")
    if output is None:
        return ()
    folder = f"{output.rstrip('/')}/{batch_id}/"
    name = source.rpartition("/")[2]
    ref = f"{folder}{name}.out" if name.endswith(_INPUT) else folder
    return (ResultSource(kind="output", ref=ref, growing=growing),)
