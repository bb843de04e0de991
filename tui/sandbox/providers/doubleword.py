"""Doubleword: live results, retries in place, text errors, absent keys and bare UUIDs.

`doubleword-old` is the same before `offset` was renamed to `skip`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from . import fates, sync
from .batches import DAY, Batches
from .desk import Desk
from .dialect import Dialect
from .doubleword_files import (
    DoublewordFiles,
    check_uuid,
    error,
    list_reply,
    missing,
    number_of,
    page_limit,
)
from .doubleword_shape import ENDPOINTS, SHAPE, error_text, row_uuid
from .failures import ApiError
from .fates import Fate
from .paging import page
from .planfile import Plan
from .retries import retry
from .shape import mark
from .state import StoredBatch
from .timeline import View
from .wire import in_thread, json_body, route

_FILTERS = ("in_progress", "completed", "failed", "cancelled", "expired")
_DOLLARS_PER_TOKEN = 0.000_000_1
_STAGES = ("in_progress_at", "finalizing_at", "completed_at")
_FATES = {int(fate): fate for fate in Fate}


class DoublewordBatches(Batches):
    """The batch routes."""

    endpoints = ENDPOINTS
    windows: ClassVar[dict[str, float]] = {"24h": DAY, "1h": 3600.0}

    def routes(self) -> list[Route]:
        """The usual ones and those that only Doubleword has."""
        one = "/v1/batches/{id}"
        desk = self.desk
        return [
            *super().routes(),
            route(desk, "POST", one + "/retry", self.retry, "retry"),
            route(desk, "POST", one + "/retry-requests", self.retry_requests, "retry"),
            route(desk, "DELETE", one, self.delete, "delete"),
            route(desk, "GET", one + "/results", self.results, "results"),
            route(desk, "GET", one + "/analytics", self.analytics, "analytics"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a batch; 201."""
        body = await json_body(request)
        input_id = str(body.get("input_file_id", ""))
        check_uuid(input_id, "file")
        endpoint = body.get("endpoint")
        if endpoint not in self.endpoints:
            raise ApiError(400, f"Unsupported endpoint: {endpoint}")
        window = body.get("completion_window")
        if window not in self.windows:
            raise ApiError(400, f"Unsupported completion_window: {window}")
        metadata = {**(body.get("metadata") or {}), "request_source": "api"}
        make = partial(self.make, input_id, str(endpoint), str(window), metadata)
        return JSONResponse(await in_thread(make), 201)

    def make(self, input_id: str, endpoint: str, window: str, metadata: Any) -> dict[str, Any]:
        """Create the batch; both result files have their ids at once."""
        desk = self.desk
        file = desk.state.file(input_id)
        if file is None or file.like != desk.options.like:
            raise missing(input_id)
        batch = desk.create(
            desk.path_of(file),
            batch_id=str(uuid.uuid4()),
            endpoint=endpoint,
            window=window,
            seconds=self.windows[window],
            input_id=input_id,
            out_id=str(uuid.uuid4()),
            err_id=str(uuid.uuid4()),
            metadata=metadata,
        )
        return self.show(batch, desk.view(batch, fresh=True))

    def find(self, request: Request) -> StoredBatch:
        """Find the batch of a request; the id must be a bare UUID."""
        check_uuid(request.path_params["id"], "batch")
        return super().find(request)

    def missing(self, batch_id: str) -> ApiError:
        """Refuse an unknown id."""
        return missing(batch_id)

    def list_batches(self, request: Request) -> Response:
        """List batches with the filters of the server."""
        query = request.query_params
        found = self.desk.state.batches(self.desk.options.like)
        wanted = query.get("status")
        if wanted is not None and wanted not in _FILTERS:
            raise ApiError(400, f"Invalid status filter: {wanted}")
        if wanted == "expired":
            now = self.desk.now()
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
            found.sort(key=lambda batch: self.desk.view(batch).ended)
        items, more = page(
            found, lambda batch: batch.id, query.get("after"), page_limit(request) or 20, missing
        )
        shown = [self.show(batch) for batch in items]
        if query.get("include") == "analytics":
            for entry, batch in zip(shown, items, strict=True):
                entry["analytics"] = self._totals(batch)
        return JSONResponse(list_reply(shown, more))

    def cancel(self, request: Request) -> Response:
        """Cancel a batch; nothing guards one that has ended."""
        batch = self.find(request)
        self.desk.state.claim_cancel(batch, self.desk.now())
        return JSONResponse(self.show(batch))

    def retry(self, request: Request) -> Response:
        """Queue failed and cancelled rows again, in the same batch."""
        batch = self.find(request)
        return self._retried(batch, lambda index: True)

    async def retry_requests(self, request: Request) -> Response:
        """Queue the named rows again; unknown ids are dropped without a word."""
        body = await json_body(request)
        ids = set(map(str, body.get("request_ids") or []))
        batch = await in_thread(self.find, request)

        def wanted(index: int) -> bool:
            return row_uuid(mark(batch.id, index)) in ids

        made: Response = await in_thread(self._retried, batch, wanted)
        return made

    def _retried(self, batch: StoredBatch, wanted: Any) -> Response:
        if not retry(self.desk, batch, wanted):
            raise ApiError(400, "Nothing to retry: the batch has no failed or cancelled requests")
        # A moment ago none of the new rows had run, also at rate 0.
        return JSONResponse(self.show(batch, self.desk.view(batch, ago=0.001)))

    def delete(self, request: Request) -> Response:
        """Delete a batch; 204."""
        batch = self.find(request)
        self.desk.remove_batch(batch)
        return Response(status_code=204)

    def analytics(self, request: Request) -> Response:
        """Sum up what the rows used so far."""
        return JSONResponse(self._totals(self.find(request)))

    def _totals(self, batch: StoredBatch) -> dict[str, Any]:
        view, plan = self.desk.view(batch), self.desk.plan_of(batch)
        spent = plan.total("tokens_in", view.done) if plan else 0
        made = plan.total("tokens_out", view.done) if plan else 0
        return {
            "total_requests": view.done,
            "total_prompt_tokens": spent,
            "total_completion_tokens": made,
            "total_tokens": spent + made,
            "total_cost": f"{(spent + made) * _DOLLARS_PER_TOKEN:.8f}",
        }

    def show(self, batch: StoredBatch, view: View | None = None) -> dict[str, Any]:
        """Build the batch object; what is unset is left out, and `expired` is never a status."""
        view = view or self.desk.view(batch)
        plan = self.desk.plan_of(batch)
        moments = {name: view.moments[name] for name in _STAGES if name in view.moments}
        status = view.status
        if status == "completed" and not view.succeeded:
            status = "failed"
            moments["failed_at"] = moments.pop("completed_at")
        if batch.cancel is not None:
            moments["cancelling_at"] = batch.cancel
            if plan is not None and view.done == plan.rows:
                status = "cancelled"
            if status == "cancelled":
                moments["cancelled_at"] = view.moments.get("cancelled_at", batch.cancel)
        deadline = batch.created + batch.seconds
        moments["expires_at"] = deadline
        if self.desk.now() > deadline:
            # Filled on any batch once the time is over, also on one that ended well before.
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
                "total": plan.rows if plan else 0,
                "completed": view.succeeded,
                "failed": view.failed,
            },
            "metadata": batch.metadata,
        }
        return shown | {name: int(when) for name, when in moments.items()}

    def results(self, request: Request) -> Response:
        """Send one line per row in input order, whatever its state."""
        batch = self.find(request)
        if not batch.input_id:
            raise ApiError(404, "The input file of this batch was deleted")
        plan = self.desk.plan_of(batch)
        assert plan is not None
        view = self.desk.view(batch)
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
        self, batch: StoredBatch, plan: Plan, view: View, places: list[int]
    ) -> Iterator[bytes]:
        result = self.desk.results(batch, view, errors=False)
        assert result is not None
        handle = os.open(self.desk.lines_of(batch), os.O_RDONLY)
        try:
            for place in places:
                raw = os.pread(handle, plan.length[place], plan.offset[place])
                entry = msgspec.json.decode(raw)
                status = _state(plan, view, place)
                line = {
                    "id": row_uuid(mark(batch.id, plan.index[place])),
                    "custom_id": entry["custom_id"],
                    "model": entry["body"].get("model"),
                    "input_body": entry["body"],
                    "response_body": None,
                    "error": None,
                    "status": status,
                }
                if status == "completed":
                    made = msgspec.json.decode(result.line(handle, place))
                    line["response_body"] = made["response"]["body"]
                elif status == "failed":
                    fate = _FATES[plan.fate[place]]
                    line["error"] = error_text(fate, entry["url"], entry["body"], batch.extra)
                yield msgspec.json.encode(line) + b"\n"
        finally:
            os.close(handle)


def dialect(like: str) -> Dialect:
    """The dialect, in its newer or older form."""
    return Dialect(SHAPE, _routes, error)


def _routes(desk: Desk) -> list[Route]:
    files, batches = DoublewordFiles(desk), DoublewordBatches(desk)
    return [*files.routes(), *batches.routes(), *sync.routes(desk)]


def _state(plan: Plan, view: View, place: int) -> str:
    if place >= view.done:
        return "pending"
    return "completed" if _FATES[plan.fate[place]] in fates.GOOD else "failed"
