"""A provider that outlives the killed program, and a record of what it was asked to do."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.end_to_end.servers import join_all, serving
from tests.fakes.bucket import BUCKET, REGION, BotoObjects, moto_server, one_bucket
from tests.fakes.gcs import GcsObjects, GcsServer, gcs_server
from tui.sandbox.options import SandboxOptions
from tui.sandbox.serve import configure

_CREATE = re.compile(
    r"/(?:batches|batch/jobs|batchInferenceJobs|batchPredictionJobs|model-invocation-job)$"
    r"|:(?:batchGenerateContent|asyncBatchEmbedContent)$"
)
_UPLOAD = re.compile(r"/files\b|/datasets$")
_ONE = re.compile(r"/(?:files|batches|datasets|batchInferenceJobs|batchPredictionJobs)/([^/]+)$")
_SINGLE = re.compile(r"/(?:chat/completions|messages)$|:generateContent$")
_TEXT = re.compile(rb"Say \d+")
_CANCEL = re.compile(
    r"/(?:batches|jobs|batchPredictionJobs|model-invocation-job)/([^/]+)[/:](?:cancel|stop)$"
)


@dataclass
class ProviderRecord:
    """What the provider was asked to do.

    Attributes:
        created: The ids of all created batches, oldest first.
        cancelled: The ids of the cancelled batches.
        uploaded: The ids of the uploaded files.
        deleted: The ids of the deleted files and batches.
        single: How often each text was answered by a single request.
        single_tokens: The tokens of all those answers.
        gcs: The server of the buckets, for providers whose files are there.
        store_url: The address of the store of a provider that keeps files in S3.
        store: AWS's own client of it.
    """

    url: str = ""
    gcs: GcsServer | None = None
    store_url: str = ""
    store: Any = None
    created: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    uploaded: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    single: Counter[str] = field(default_factory=Counter)
    single_tokens: int = 0

    def kept(self) -> list[str]:
        """The files, or without files the batches, that were not deleted."""
        if self.store is not None:
            found = self.store.list_objects_v2(Bucket=BUCKET).get("Contents", ())
            return [item["Key"] for item in found]
        objects = [] if self.gcs is None else self.gcs.keys()
        return [*objects, *(x for x in self.uploaded or self.created if x not in self.deleted)]


class _Recorder:
    """Middleware that records what is created, cancelled and deleted."""

    def __init__(self, app: Any, truth: ProviderRecord) -> None:
        self._app = app
        self._truth = truth

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] not in ("POST", "DELETE"):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "DELETE" and (found := _ONE.search(scope["path"])):
            # Some servers answer 500 and have done it.
            self._truth.deleted.add(found[1])
        status = 0
        body = sent = b""

        async def received() -> Any:
            nonlocal sent
            message = await receive()
            sent += message.get("body", b"")
            return message

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                body += message.get("body", b"")
                if not message.get("more_body") and 200 <= status < 300:
                    self._keep(scope["path"], body, sent)
            await send(message)

        is_single = _SINGLE.search(scope["path"])
        await self._app(scope, received if is_single else receive, noting)

    def _keep(self, path: str, body: bytes, sent: bytes) -> None:
        if _SINGLE.search(path) and (text := _TEXT.search(sent)):
            self._truth.single[text[0].decode()] += 1
            usage = json.loads(body).get("usage") or {}
            tokens = usage.get("completion_tokens") or usage.get("output_tokens") or 0
            self._truth.single_tokens += tokens
        elif _CREATE.search(path):
            made = json.loads(body)
            # Google's ids are the end of a name: batches/ID.
            name = made.get("id") or made.get("batch_id")
            name = name or (made.get("name") or made["jobArn"]).rpartition("/")[2]
            # A create with a token is repeated, and answered with the job that is there.
            if name not in self._truth.created:
                self._truth.created.append(name)
        elif _UPLOAD.search(path) and body.strip():
            # The first of two calls of an upload has no file yet.
            made = json.loads(body)
            full = made.get("file", made).get("name", "")
            if name := made.get("id") or full.rpartition("/")[2]:
                self._truth.uploaded.append(name)
        elif found := _CANCEL.search(path):
            self._truth.cancelled.add(found[1])


@contextmanager
def served(
    like: str,
    home: Path,
    rows_per_second: float = 0,
    key: str = "",
    quirks: tuple[str, ...] = (),
) -> Iterator[ProviderRecord]:
    """A sandbox on TCP in a thread of this process, and its record."""
    truth = ProviderRecord()
    with ExitStack() as opened:
        objects: Any = None
        more: dict[str, Any] = {}
        if like == "vertex":
            truth.gcs = opened.enter_context(gcs_server())
            truth.gcs.make()
            objects = GcsObjects(truth.gcs)
            opened.callback(objects.close)
        if like == "bedrock":
            truth.store_url = opened.enter_context(moto_server())
            truth.store = opened.enter_context(one_bucket(truth.store_url))
            objects, more = BotoObjects(truth.store), {"region": REGION}
        options = SandboxOptions(
            like=like,
            home=home,
            rows_per_second=rows_per_second,
            key=key or None,
            quirks=quirks,
            objects=objects,
            **more,
        )
        config = configure(options)
        config.app = _Recorder(config.app, truth)
        with serving(config) as server:
            truth.url = server.url
            yield truth
        join_all()
