"""NO_PROXY holds [::1].

On the wire: None: the proxy does not answer (port 9 of this machine).

Right: Exit code 3: the proxy cannot be reached.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider


def test_no_proxy_ipv6_brackets(start: Start) -> None:
    case = start(Provider(), base_url="https://batch.example.test/v1")
    case.environment = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "localhost,127.0.0.1,::1,[::1]",
    }
    case.step("accounts", "test", "acc", exits=(3,), says_not="unexpected|InvalidURL")
