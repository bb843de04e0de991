"""A create is refused for lack of money, with a status that means another thing.

Reported at promptfoo/promptfoo (pull request 10881: OpenAI's 429 ``credit_balance_exhausted``), of
Moonshot (429 ``exceeded_current_quota_error``), new-api (403 ``insufficient_user_quota``),
Anthropic (400 ``invalid_request_error``, bespokelabsai/curator issue 296) and DashScope (400
``Arrearage``).

Right: The error says to top up the account at once: nothing is waited for, and the key is not
doubted. After that the same job is sent, once.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web

REFUSALS = [
    (429, {"code": "credit_balance_exhausted", "message": "You have no credits remaining."}),
    (429, {"type": "exceeded_current_quota_error", "message": "Your account is suspended."}),
    (403, {"code": "insufficient_user_quota", "type": "new_api_error", "message": "用户额度不足"}),
    (403, {"type": "new_api_error", "message": "User's credit limit is insufficient"}),
    (400, {"type": "invalid_request_error", "message": "Your credit balance is too low."}),
    (400, {"code": "Arrearage", "message": "Access denied, make sure your account is in order."}),
]


class Server(Provider):
    """Refuses creates until the account was topped up."""

    def __init__(self, status: int, error: Json) -> None:
        super().__init__()
        self.status, self.error, self.paid = status, error, False

    def create(self, web: Web, body: Json) -> None:
        if self.paid:
            super().create(web, body)
        else:
            self.seen["refused"] += 1
            web.json({"error": self.error}, self.status)


@pytest.mark.parametrize(("status", "error"), REFUSALS)
def test_out_of_credit_in_other_words(start: Start, status: int, error: Json) -> None:
    server = Server(status, error)
    case = start(server)
    command = ("submit", "{input}", "--wait", "-y")
    case.step(
        *command, exits=(5,), says="hint: Top up the account", says_not="keys set", timeout=30
    )
    assert server.seen["refused"] == 1
    server.paid = True
    case.step("submit", "input", "--wait", "--json", "-y", exits=(0,), counts={"succeeded": 4})
    assert server.seen["creates"] == 1
