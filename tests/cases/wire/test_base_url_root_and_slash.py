"""base_url is the bare host with a slash.

On the wire: As usual, under /v1.

Right: Works as `http://127.0.0.1:PORT` without the slash does (there `/v1` is put in).
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider


def test_base_url_root_and_slash(start: Start) -> None:
    case = start(Provider(), base_url="http://127.0.0.1:{port}/")
    case.submit(exits=(0,), counts={"succeeded": 4})
