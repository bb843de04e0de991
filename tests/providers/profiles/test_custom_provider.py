"""A provider that nobody has heard of, described by a person's own table and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers.fakes import KEY, Scripted
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.retry_rules import retryable
from tui.errors import QuotaError
from tui.providers.connect import connect
from tui.providers.dialect import BatchDraft
from tui.providers.profiles.load import find_profile

CORNER = """
[providers.corner]
name = "Corner Bakery"
base_url = "https://api.example.com/v2"
endpoints = ["/v1/chat/completions"]
retry_codes = { oven_cold = true, "no_*" = false }

[providers.corner.auth]
header = "X-Bakery-Key"
scheme = ""
env = ["CORNER_KEY"]

[providers.corner.paths]
upload = "PUT /trays"
content = "/trays/{id}/bread"
create = "/orders"
get = "/orders/{id}"
list = "/orders"
cancel = "POST /orders/{id}/stop"

[providers.corner.upload]
purpose_field = "use"
purpose = "baking"
file_field = "tray"
unwrap = "answer.tray"

[providers.corner.row]
style = "body"

[providers.corner.create]
input = { field = "trays", list = true }
endpoint_field = "recipe"
model_field = "oven"
window = { field = "hours", kind = "hours", values = ["6h"] }
metadata = { field = "labels" }
unwrap = "answer.order"

[providers.corner.batch]
id = "number"
status = "state.word"
total = "state.loaves"
done = "state.baked"
failed = "state.burnt"
output = "bread"
error = "ashes"
errors = "complaints"
metadata = "labels"
created = "when.ordered"
ended = ["when.done"]
status_map = { "in the oven" = "in_progress", cooled = "completed" }

[providers.corner.list]
items = "answer.orders"
paging = "token"
cursor_param = "from"
next = "answer.more"
limit_param = "count"
limit = 2

[providers.corner.quota]
text = ["all ovens are full"]
"""


async def test_a_made_up_provider_by_its_table_alone(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CORNER)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"custom_id":"a","body":{}}\n')

    def order(word: str) -> dict[str, Any]:
        return {
            "number": 17,
            "state": {"word": word, "loaves": "4", "baked": 2, "burnt": 1},
            "bread": "t-out",
            "ashes": None,
            "complaints": "too hot",
            "labels": {"batchdeck_batch": "b-1"},
            "when": {"ordered": "2026-11-18T10:26:40Z", "done": "1795000000"},
        }

    page = {"orders": [order("cooled")], "more": "next"}
    full = {"oops": {"why": "All ovens are full"}}
    script = Scripted({
        "PUT /v2/trays": httpx.Response(202, json={"answer": {"tray": {"id": "t-1"}}}),
        "POST /v2/orders": [
            httpx.Response(429, json=full),
            httpx.Response(201, json={"answer": {"order": order("In The Oven")}}),
        ],
        "GET /v2/orders/17": httpx.Response(200, json={"answer": {"order": order("cooled")}}),
        "GET /v2/orders": [
            httpx.Response(200, json={"answer": page}),
            httpx.Response(200, json={"answer": {"orders": []}}),
        ],
        "POST /v2/orders/17/stop": httpx.Response(
            200, json={"answer": {"order": order("proving")}}
        ),
        "GET /v2/trays/t-out/bread": httpx.Response(200, text="{}\n"),
    })  # fmt: skip
    dialect = connect(
        find_profile("corner", config), key=KEY, transport=httpx.MockTransport(script)
    )
    draft = BatchDraft(
        path=rows,
        rows=1,
        endpoint="/v1/chat/completions",
        model="m",
        window="6h",
        intent="b-1",
        file_id="t-1",
    )
    assert await dialect.upload(rows, name="rows") == "t-1"
    assert script.requests[0].headers["x-bakery-key"] == KEY
    assert b'name="use"\r\n\r\nbaking' in script.bodies[0]
    with pytest.raises(QuotaError):
        await dialect.create(draft)
    made = await dialect.create(draft)
    assert script.sent() == {
        "trays": ["t-1"],
        "recipe": "/v1/chat/completions",
        "oven": "m",
        "hours": 6,
        "labels": {"batchdeck_batch": "b-1"},
    }
    assert (made.id, made.status, made.raw_status) == ("17", BatchStatus.IN_PROGRESS, "In The Oven")
    assert made.counts == RemoteCounts(total=4, completed=2, failed=1)
    assert made.issues[0].message == "too hot"
    assert made.results == ()
    done = await dialect.retrieve("17")
    assert (done.status, done.intent) == (BatchStatus.COMPLETED, "b-1")
    assert (done.created_at, done.ended_at) == (1_794_997_600.0, 1_795_000_000.0)
    assert [one.id async for one in dialect.list_batches()] == ["17"]
    assert dict(script.requests[-1].url.params) == {"count": "2", "from": "next"}
    stopped = await dialect.cancel("17")
    assert (stopped.status, stopped.raw_status) == (BatchStatus.UNKNOWN, "proving")
    async with dialect.download(done.results[0]) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == b"{}\n"
    assert retryable(503, "no_flour", dialect.retry_rules) is False
    assert retryable(400, "oven_cold", dialect.retry_rules) is True
