"""A provider that does not exist: its own words, its own names, everything wrapped.

Trays are uploaded, orders are made of them, and an order gives bread and ashes. The first
order is turned away, because all ovens are full.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

PROFILE = """
[accounts.baker]
provider = "bakery"
base_url = "{url}"
clean_up = true

[providers.bakery]
name = "Corner Bakery"
base_url = "https://api.bakery.example/v2"
endpoints = ["/v1/chat/completions"]
retry_codes = {{ oven_cold = true, "no_*" = false }}
limits = {{ rows = 200 }}
poll = {{ min_seconds = 0.05, max_seconds = 0.1 }}

[providers.bakery.auth]
header = "X-Bakery-Key"
scheme = ""
env = ["BAKERY_KEY"]

[providers.bakery.paths]
upload = "PUT /trays"
content = "/trays/{{id}}/bread"
file_delete = "DELETE /trays/{{id}}"
create = "/orders"
get = "/orders/{{id}}"
list = "/orders"
cancel = "POST /orders/{{id}}/stop"
models = ""

[providers.bakery.upload]
purpose_field = "use"
purpose = "baking"
file_field = "tray"
unwrap = "answer.tray"

[providers.bakery.create]
input = {{ field = "trays", list = true }}
endpoint_field = "recipe"
window = {{ field = "hours", kind = "hours", values = ["6h"] }}
metadata = {{ field = "labels" }}
unwrap = "answer.order"

[providers.bakery.batch]
id = "number"
status = "state.word"
total = "state.loaves"
done = "state.baked"
failed = "state.burnt"
input = "trays.0"
output = "bread"
error = "ashes"
errors = "complaints"
metadata = "labels"
created = "when.ordered"
ended = ["when.done"]
status_map = {{ kneading = "validating", "in the oven" = "in_progress", cooled = "completed" }}

[providers.bakery.list]
items = "answer.orders"
paging = "token"
cursor_param = "from"
next = "answer.more"
limit_param = "count"
limit = 2

[providers.bakery.quota]
text = ["all ovens are full"]
"""


class Bakery:
    """The shop: trays, orders, and which rows were burnt once already.

    Args:
        key: What ``X-Bakery-Key`` has to hold.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.trays: dict[str, bytes] = {}
        self.orders: dict[int, dict[str, Any]] = {}
        self.looks: dict[int, int] = {}
        self.loaves: dict[int, tuple[int, int]] = {}
        self.burnt: set[str] = set()
        self.full = 1
        self.app = Starlette(
            routes=[
                Route("/v2/trays", self.upload, methods=["PUT"]),
                Route("/v2/trays/{id}/bread", self.bread),
                Route("/v2/trays/{id}", self.clear, methods=["DELETE"]),
                Route("/v2/orders", self.order, methods=["POST"]),
                Route("/v2/orders", self.list_orders),
                Route("/v2/orders/{id:int}", self.look),
            ]
        )

    def _stranger(self, request: Request) -> Response | None:
        if request.headers.get("x-bakery-key") == self.key:
            return None
        return JSONResponse({"oops": {"why": "We do not know you"}}, 401)

    async def upload(self, request: Request) -> Response:
        """Take a tray."""
        if (refused := self._stranger(request)) is not None:
            return refused
        form = await request.form()
        assert form["use"] == "baking"
        data = await form["tray"].read()  # type: ignore[union-attr]
        name = f"tray-{len(self.trays)}"
        self.trays[name] = data
        return JSONResponse({"answer": {"tray": {"id": name}}}, 202)

    async def order(self, request: Request) -> Response:
        """Take an order, unless the ovens are full."""
        if (refused := self._stranger(request)) is not None:
            return refused
        if self.full:
            self.full -= 1
            return JSONResponse({"oops": {"why": "Sorry, all ovens are full"}}, 429)
        asked = await request.json()
        assert asked["recipe"] == "/v1/chat/completions"
        assert asked["hours"] == 6
        number = 100 + len(self.orders)
        self.looks[number] = 0
        bread, ashes = self._bake(self.trays[asked["trays"][0]])
        self.trays[f"bread-{number}"] = bread
        self.trays[f"ashes-{number}"] = ashes
        self.loaves[number] = (bread.count(b"\n"), ashes.count(b"\n"))
        self.orders[number] = {"trays": asked["trays"], "labels": asked["labels"]}
        return JSONResponse({"answer": {"order": self._show(number)}}, 201)

    def _bake(self, tray: bytes) -> tuple[bytes, bytes]:
        bread, ashes = [], []
        for line in tray.splitlines():
            row = json.loads(line)
            custom_id = row["custom_id"]
            text = row["body"]["messages"][-1]["content"]
            code = None
            if "fail=400" in text:
                code = "no_flour"
            elif "flaky" in text and custom_id not in self.burnt:
                self.burnt.add(custom_id)
                code = "oven_cold"
            if code is not None:
                error = {"code": code, "message": f"Burnt: {code}"}
                ashes.append({"custom_id": custom_id, "response": None, "error": error})
                continue
            choice = {"message": {"role": "assistant", "content": f"A loaf for {custom_id}"}}
            body = {"model": "rye", "choices": [{**choice, "finish_reason": "stop"}]}
            response = {"status_code": 200, "body": body}
            bread.append({"custom_id": custom_id, "response": response, "error": None})
        return _jsonl(bread), _jsonl(ashes)

    def _show(self, number: int) -> dict[str, Any]:
        """An order, one step further at each look."""
        step = min(self.looks[number], 2)
        cooled = step == 2
        baked, burnt = self.loaves[number]
        return {
            "number": number,
            **self.orders[number],
            "state": {
                "word": ["Kneading", "in the oven", "cooled"][step],
                "loaves": str(baked + burnt),
                "baked": baked if cooled else 0,
                "burnt": burnt if cooled else 0,
            },
            "bread": f"bread-{number}" if cooled else None,
            "ashes": f"ashes-{number}" if cooled and burnt else None,
            "complaints": None,
            "when": {"ordered": "2026-11-18T10:26:40Z", "done": "1795000000" if cooled else None},
        }

    async def look(self, request: Request) -> Response:
        """Show an order."""
        number = request.path_params["id"]
        if number not in self.orders:
            return JSONResponse({"oops": {"why": "No such order"}}, 404)
        self.looks[number] += 1
        return self._stranger(request) or JSONResponse({"answer": {"order": self._show(number)}})

    async def list_orders(self, request: Request) -> Response:
        """Show orders, two at a time, the newest first."""
        start = int(request.query_params.get("from", "0"))
        numbers = sorted(self.orders, reverse=True)
        page: dict[str, Any] = {"orders": [self._show(n) for n in numbers[start : start + 2]]}
        if start + 2 < len(numbers):
            page["more"] = str(start + 2)
        return self._stranger(request) or JSONResponse({"answer": page})

    async def bread(self, request: Request) -> Response:
        """Hand out a tray."""
        tray = self.trays.get(request.path_params["id"])
        if tray is None:
            return JSONResponse({"oops": {"why": "No such tray"}}, 404)
        return self._stranger(request) or PlainTextResponse(tray)

    async def clear(self, request: Request) -> Response:
        """Throw a tray away."""
        self.trays.pop(request.path_params["id"], None)
        return self._stranger(request) or Response(status_code=204)


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
