"""A provider with OpenAI's batches whose files are objects of the user's bucket (Scaleway)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from tests.end_to_end.servers import Served, serving
from tui.sandbox.app import AuthMiddleware
from tui.sandbox.backend import Backend
from tui.sandbox.errors import ApiError, openai_error
from tui.sandbox.options import SandboxOptions
from tui.sandbox.providers.base import Batches, required_choice
from tui.sandbox.providers.openai import ROW_FORMAT
from tui.sandbox.state import BatchView, StoredBatch

BUCKET = "answers"


class BucketBatches(Batches):
    """Batches whose input is fetched from a bucket and whose results are put there."""

    boto: Any = None
    tells_results = True
    needs_headers: tuple[str, ...] = ()

    async def create(self, request: Request) -> Response:
        """Create a batch, if the headers that the provider needs are there."""
        for name in self.needs_headers:
            if not request.headers.get(name):
                raise ApiError(400, f"{name} is required")
        return await super().create(request)

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a batch from the object that the body names."""
        endpoint = required_choice(body, "endpoint", self.endpoints)
        address = urlsplit(str(body.get("input_file_id")))
        assert address.netloc.partition(".")[0] == BUCKET
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "in.jsonl")
            self.boto.download_file(BUCKET, address.path.lstrip("/"), str(path))
            batch = self.backend.create(
                path,
                endpoint=endpoint,
                metadata=body.get("metadata"),
                extra={"input": body["input_file_id"]},
            )
        return self.show_created(batch)

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """The batch, with addresses of objects in place of ids of files."""
        made = super().batch_object(batch, view)
        made["input_file_id"] = batch.extra["input"]
        for name, errors in (("output_file_id", False), ("error_file_id", True)):
            if made[name] is None:
                continue
            result = self.backend.results(batch, view, errors=errors)
            assert result is not None
            if self.tells_results:
                key = f"results/{batch.id}/{name}.jsonl"
                made[name] = f"https://{BUCKET}.s3.fr-par.scw.cloud/{key}"
            else:
                folder, _, file = urlsplit(batch.extra["input"]).path.lstrip("/").rpartition("/")
                key = f"{folder}/{batch.id}/{file}.{'err' if errors else 'out'}"
                made[name] = None
            self.boto.put_object(Bucket=BUCKET, Key=key, Body=b"".join(result.chunks()))
        return made


@contextmanager
def bucket_server(boto: Any, key: str, *, like: str = "scaleway") -> Iterator[Served]:
    """Serve such a provider while the block runs: Scaleway, or Bedrock's OpenAI layer."""
    backend = Backend(SandboxOptions(rows_per_second=0), ROW_FORMAT)
    batches = BucketBatches(backend)
    batches.boto = boto
    if like == "bedrock-openai":
        batches.tells_results = False
        batches.needs_headers = ("x-amzn-bedrock-rolearn", "x-amzn-bedrock-modelid")

    async def refused(request: Any, problem: Any) -> Any:
        assert isinstance(problem, ApiError)
        return openai_error(problem)

    app = Starlette(
        routes=batches.routes(),
        exception_handlers={ApiError: refused},
        middleware=[Middleware(AuthMiddleware, key=key, answer=openai_error)],
    )
    with serving(uvicorn.Config(app, http="h11", ws="none", log_config=None)) as server:
        yield server
    backend.close()
