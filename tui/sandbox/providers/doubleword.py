"""Doubleword: live results, retries in place, plain-text errors, omitted keys and UUIDs.

`doubleword-old` is the server before `offset` was renamed to `skip`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tui.sandbox import outcomes
from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import DAY, Dialect
from tui.sandbox.errors import ApiError
from tui.sandbox.plan_file import Plan
from tui.sandbox.providers import doubleword_rows
from tui.sandbox.providers.base import Batches
from tui.sandbox.providers.doubleword_files import (
    DOLLARS_PER_TOKEN,
    DoublewordFiles,
    check_uuid,
    error,
    list_reply,
    missing,
    number_of,
    page_limit,
)
from tui.sandbox.rows import mark
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import SyncEndpoints

_FILTERS = ("in_progress", "completed", "failed", "cancelled", "expired")
_STAGES = ("in_progress_at", "finalizing_at", "completed_at")


class DoublewordBatches(Batches):
    """The batch routes."""

    endpoints = doubleword_rows.ENDPOINTS
    windows: ClassVar[dict[str, float]] = {"24h": DAY, "1h": 3600.0}
    created = 201

    def routes(self) -> list[Route]:
        """OpenAI's routes and Doubleword's own."""
        one = "/v1/batches/{id}"
        backend = self.backend
        return [
            *super().routes(),
            route(backend, "POST", one + "/retry", self.retry, "retry"),
            route(backend, "POST", one + "/retry-requests", self.retry_requests, "retry"),
            route(backend, "DELETE", one, self.delete, "delete"),
            route(backend, "GET", one + "/results", self.results, "results"),
            route(backend, "GET", one + "/analytics", self.analytics, "analytics"),
        ]

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create the batch; both result files have their ids from the start."""
        input_id = str(body.get("input_file_id", ""))
        check_uuid(input_id, "file")
        endpoint = body.get("endpoint")
        if endpoint not in self.endpoints:
            raise ApiError(400, f"Unsupported endpoint: {endpoint}")
        window = body.get("completion_window")
        if window not in self.windows:
            raise ApiError(400, f"Unsupported completion_window: {window}")
        metadata = {**(body.get("metadata") or {}), "request_source": "api"}
        batch = self.backend.create(
            self.backend.upload(input_id, missing(input_id)),
            batch_id=str(uuid.uuid4()),
            endpoint=str(endpoint),
            window=str(window),
            seconds=self.windows[str(window)],
            out_id=str(uuid.uuid4()),
            err_id=str(uuid.uuid4()),
            metadata=metadata,
        )
        return self.show_created(batch)

    def find(self, request: Request) -> StoredBatch:
        """Find the batch of a request; the id must be a UUID."""
        check_uuid(request.path_params["id"], "batch")
        return super().find(request)

    def missing(self, item_id: str) -> ApiError:
        """The error for an unknown id."""
        return missing(item_id)

    def limit(self, request: Request) -> int:
        """Read the number of items of a page."""
        return page_limit(request) or 20

    def list_response(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object."""
        return list_reply(data, more)

    def list_batches(self, request: Request) -> Response:
        """List batches, with their usage if it is asked for."""

        def show(batch: StoredBatch) -> dict[str, Any]:
            extra = {"analytics": self._totals(batch)} if with_usage else {}
            return self.show(batch) | extra

        with_usage = request.query_params.get("include") == "analytics"
        return self.page(request, self.select(request, self.backend.batches()), show)

    def select(self, request: Request, batches: list[StoredBatch]) -> list[StoredBatch]:
        """Apply the server's filters."""
        query, found = request.query_params, batches
        wanted = query.get("status")
        if wanted is not None and wanted not in _FILTERS:
            raise ApiError(400, f"Invalid status filter: {wanted}")
        if wanted == "expired":
            now = self.backend.now()
            found = [batch for batch in found if now > batch.created + batch.seconds]
        elif wanted:
            found = [batch for batch in found if self.show(batch)["status"] == wanted]
        if "search" in query:
            text = query["search"]
            found = [item for item in found if text in item.id or text in str(item.metadata)]
        if "completion_window" in query:
            windows = query["completion_window"].split(",")
            found = [batch for batch in found if batch.window in windows]
        after, before = number_of(request, "created_after"), number_of(request, "created_before")
        found = [batch for batch in found if batch.created >= after]
        found = [batch for batch in found if not before or batch.created <= before]
        if query.get("active_first") == "true":
            found.sort(key=lambda batch: self.backend.view(batch).ended)
        return found

    def cancel(self, request: Request) -> Response:
        """Cancel a batch, even one that has ended."""
        batch = self.find(request)
        self.backend.state.record_cancel(batch, self.backend.now())
        return JSONResponse(self.show(batch))

    def retry(self, request: Request) -> Response:
        """Retry failed and cancelled rows in the same batch."""
        batch = self.find(request)
        return self._retried(batch, lambda index: True)

    async def retry_requests(self, request: Request) -> Response:
        """Retry the given rows; unknown ids are silently ignored."""
        body = await json_body(request)
        ids = set(map(str, body.get("request_ids") or []))
        batch = await in_thread(self.find, request)

        def wanted(index: int) -> bool:
            return doubleword_rows.row_uuid(mark(batch.id, index)) in ids

        made: Response = await in_thread(self._retried, batch, wanted)
        return made

    def _retried(self, batch: StoredBatch, wanted: Callable[[int], bool]) -> Response:
        if not doubleword_rows.retry(self.backend, batch, wanted):
            raise ApiError(400, "Nothing to retry: the batch has no failed or cancelled requests")
        # A moment ago none of the retried rows had run, even at rate 0.
        return JSONResponse(self.batch_object(batch, self.backend.view(batch, ago=0.001)))

    def delete(self, request: Request) -> Response:
        """Delete a batch; returns 204."""
        batch = self.find(request)
        self.backend.remove_batch(batch)
        return Response(status_code=204)

    def analytics(self, request: Request) -> Response:
        """Return the total usage of the rows so far."""
        return JSONResponse(self._totals(self.find(request)))

    def _totals(self, batch: StoredBatch) -> dict[str, Any]:
        view = self.backend.view(batch)
        spent, made = self.backend.tokens(batch, view)
        return {
            "total_requests": view.done,
            "total_prompt_tokens": spent,
            "total_completion_tokens": made,
            "total_tokens": spent + made,
            "total_cost": f"{(spent + made) * DOLLARS_PER_TOKEN:.8f}",
        }

    def batch_object(self, batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        """Build the batch object, without unset keys; `expired` is never a status."""
        rows = self.backend.rows(batch)
        moments = {name: view.moments[name] for name in _STAGES if name in view.moments}
        status = view.status
        if status == "completed" and not view.succeeded:
            status = "failed"
            moments["failed_at"] = moments.pop("completed_at")
        if batch.cancel is not None:
            moments["cancelling_at"] = batch.cancel
            if not batch.problems and view.done == rows:
                status = "cancelled"
            if status == "cancelled":
                moments["cancelled_at"] = view.moments.get("cancelled_at", batch.cancel)
        deadline = batch.created + batch.seconds
        moments["expires_at"] = deadline
        if self.backend.now() > deadline:
            # Set on any batch once the window is over, even on one that ended long before.
            moments["expired_at"] = deadline
        shown: dict[str, Any] = {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.endpoint,
            "input_file_id": batch.input_id,
            "completion_window": batch.window,
            "status": status,
            "output_file_id": batch.out_id,
            "error_file_id": batch.err_id,
            "created_at": int(batch.created),
            "request_counts": {
                "total": rows,
                "completed": view.succeeded,
                "failed": view.failed,
            },
            "metadata": batch.metadata,
        }
        return shown | {name: int(when) for name, when in moments.items()}

    def results(self, request: Request) -> Response:
        """Send one line per row in input order, in any state."""
        batch = self.find(request)
        if not batch.input_id:
            raise ApiError(404, "The input file of this batch was deleted")
        plan = self.backend.plan_of(batch)
        assert plan is not None
        view = self.backend.view(batch)
        skip, limit = number_of(request, "skip"), page_limit(request)
        places = sorted(range(plan.rows), key=plan.index.__getitem__)
        wanted = request.query_params.get("status")
        if wanted is not None:
            places = [place for place in places if _state(plan, view, place) == wanted]
        last = len(places) if limit is None else min(len(places), skip + limit)
        headers = {
            "X-Incomplete": str(not view.ended or last < len(places)).lower(),
            "X-Last-Line": str(last),
        }
        lines = self._lines(batch, plan, view, places[skip:last])
        return StreamingResponse(lines, 200, headers, "application/x-ndjson")

    def _lines(
        self, batch: StoredBatch, plan: Plan, view: BatchView, places: list[int]
    ) -> Iterator[bytes]:
        result = self.backend.results(batch, view, errors=False)
        assert result is not None
        handle = os.open(self.backend.input_path(batch), os.O_RDONLY)
        try:
            for place in places:
                row, status = result.row(handle, place), _state(plan, view, place)
                line = {
                    "id": doubleword_rows.row_uuid(row.mark),
                    "custom_id": row.custom_id,
                    "model": row.body.get("model"),
                    "input_body": row.body,
                    "response_body": None,
                    "error": None,
                    "status": status,
                }
                if status == "completed":
                    made = msgspec.json.decode(result.line(handle, place))
                    line["response_body"] = made["response"]["body"]
                elif status == "failed":
                    line["error"] = doubleword_rows.row_error_json(row)
                yield msgspec.json.encode(line) + b"\n"
        finally:
            os.close(handle)


def _state(plan: Plan, view: BatchView, place: int) -> str:
    if place >= view.done:
        return "pending"
    return "completed" if plan.outcome[place] in outcomes.SUCCESSES else "failed"


DIALECT = Dialect(
    doubleword_rows.ROW_FORMAT, (DoublewordFiles, DoublewordBatches, SyncEndpoints), error
)
"""Doubleword, current or old."""
