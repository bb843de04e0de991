"""OpenAI's batch routes: create, list, retrieve, cancel."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .desk import Desk
from .endpoints import OPENAI
from .failures import ApiError, no_batch
from .openai_shape import batch_object
from .paging import limit_of, list_object, page
from .state import StoredBatch
from .timeline import View
from .wire import in_thread, json_body, route

_MOST_PAIRS, _MOST_KEY, _MOST_VALUE = 16, 64, 512
DAY = 86_400.0
"""Seconds of a day."""


class Batches:
    """The handlers of the batch routes of one sandbox; other dialects override the hooks.

    Attributes:
        path: Where the routes are.
        endpoints: The endpoints that are taken.
        windows: The windows that are taken, with their seconds.
        created: HTTP status of a create.
    """

    path = "/v1/batches"
    endpoints: tuple[str, ...] = OPENAI
    windows: ClassVar[dict[str, float]] = {"24h": DAY}
    created = 200

    def __init__(self, desk: Desk) -> None:
        """Serve the batches of `desk`."""
        self.desk = desk

    def routes(self) -> list[Route]:
        """The four routes."""
        desk = self.desk
        return [
            route(desk, "POST", self.path, self.create, "create"),
            route(desk, "GET", self.path, self.list_batches, "list"),
            route(desk, "GET", self.path + "/{id}", self.retrieve, "retrieve"),
            route(desk, "POST", self.path + "/{id}/cancel", self.cancel, "cancel"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a batch from an uploaded file."""
        body = await json_body(request)
        endpoint = choice(body, "endpoint", self.endpoints)
        window = choice(body, "completion_window", tuple(self.windows))
        metadata = check_metadata(body.get("metadata"))
        input_id = body.get("input_file_id")
        if not isinstance(input_id, str) or not input_id:
            text = "Missing required parameter: 'input_file_id'."
            raise ApiError(400, text, param="input_file_id", code="missing_required_parameter")
        made = await in_thread(partial(self.make, input_id, endpoint, window, metadata))
        return JSONResponse(made, self.created)

    def make(self, input_id: str, endpoint: str, window: str, metadata: Any) -> dict[str, Any]:
        """Create the batch and build its object; blocks."""
        desk = self.desk
        file = desk.state.file(input_id)
        if file is None or file.like != desk.options.like:
            raise self.missing_file(input_id)
        batch = desk.create(
            desk.path_of(file),
            batch_id=f"batch_{desk.token()}",
            endpoint=endpoint,
            window=window,
            seconds=self.windows[window],
            input_id=input_id,
            metadata=metadata,
        )
        return self.show(batch, desk.view(batch, fresh=True))

    def missing(self, batch_id: str) -> ApiError:
        """Refuse an unknown batch id."""
        return no_batch(batch_id)

    def missing_file(self, file_id: str) -> ApiError:
        """Refuse a create from an unknown file."""
        text = f"Invalid 'input_file_id': no file with id '{file_id}' exists."
        return ApiError(400, text, param="input_file_id", code="invalid_file_id")

    def envelope(self, data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
        """Build the list object."""
        return list_object(data, more)

    def list_batches(self, request: Request) -> Response:
        """List batches, newest first."""
        desk = self.desk
        items, more = page(
            desk.state.batches(desk.options.like),
            lambda batch: batch.id,
            request.query_params.get("after"),
            limit_of(request, 20, 100),
            self.missing,
        )
        return JSONResponse(self.envelope([self.show(batch) for batch in items], more))

    def retrieve(self, request: Request) -> Response:
        """Describe one batch."""
        return JSONResponse(self.show(self.visible(request)))

    def cancel(self, request: Request) -> Response:
        """Ask for a cancel; an ended batch refuses it with 409."""
        batch = self.find(request)
        view = self.desk.view(batch)
        if view.ended:
            text = f"Cannot cancel a batch with status '{view.status}'."
            raise ApiError(409, text)
        self.desk.state.claim_cancel(batch, self.desk.now())
        return JSONResponse(self.show(batch, cancelling(self.desk.view(batch))))

    def find(self, request: Request) -> StoredBatch:
        """Find the batch of a request (404)."""
        batch_id = request.path_params["id"]
        return self.desk.batch(batch_id, self.missing(batch_id))

    def visible(self, request: Request) -> StoredBatch:
        """Find the batch of a retrieve; the quirk `404-after-create` hides it at first."""
        batch = self.find(request)
        if self.desk.hidden(batch):
            raise self.missing(batch.id)
        return batch

    def show(self, batch: StoredBatch, view: View | None = None) -> dict[str, Any]:
        """Build the batch object of a view; the default is this moment."""
        return batch_object(batch, view or self.desk.view(batch), self.desk.plan_of(batch))


def cancelling(view: View) -> View:
    """Show a view as the answer to a cancel does, even where the cancel took no time."""
    moments = {name: when for name, when in view.moments.items() if name != "cancelled_at"}
    return replace(view, status="cancelling", unrun=0, moments=moments)


def choice(body: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """Read a parameter that has to be one of `choices` (400)."""
    value = body.get(name)
    if value is None:
        text = f"Missing required parameter: '{name}'."
        raise ApiError(400, text, param=name, code="missing_required_parameter")
    if value not in choices:
        shown = ", ".join(f"'{item}'" for item in choices)
        text = f"Invalid value: '{value}'. Supported values are: {shown}."
        raise ApiError(400, text, param=name, code="invalid_value")
    return str(value)


def check_metadata(metadata: Any) -> Any:
    """Check OpenAI's limits: 16 pairs, keys of 64 and values of 512 characters (400)."""
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        text = "Invalid type for 'metadata': expected an object."
        raise ApiError(400, text, param="metadata", code="invalid_type")
    if len(metadata) > _MOST_PAIRS:
        text = (
            f"Invalid 'metadata': too many properties. Expected an object with at most "
            f"{_MOST_PAIRS} properties, but got an object with {len(metadata)} properties instead."
        )
        raise ApiError(400, text, param="metadata", code="object_above_max_properties")
    for key, value in metadata.items():
        if not isinstance(value, str):
            text = f"Invalid type for 'metadata.{key}': expected a string."
            raise ApiError(400, text, param=f"metadata.{key}", code="invalid_type")
        for size, most in ((len(key), _MOST_KEY), (len(value), _MOST_VALUE)):
            if size > most:
                text = (
                    f"Invalid 'metadata.{key}': string too long. Expected a string with maximum "
                    f"length {most}, but got a string with length {size} instead."
                )
                raise ApiError(400, text, param=f"metadata.{key}", code="string_above_max_length")
    return metadata
