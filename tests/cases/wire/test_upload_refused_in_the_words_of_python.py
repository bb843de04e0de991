"""A proxy refuses the upload with the text of a Python exception as its message.

Reported at BerriAI/litellm (pull request 37527).

Right: The words inside are said, without the object around them.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web

ERROR = (
    "Error code: 400 - {'error': {'message': 'Invalid file format for Batch API. Must be .jsonl',"
    " 'type': 'invalid_request_error', 'param': None, 'code': None}}"
)


class Server(Provider):
    """Refuses every file."""

    def upload(self, web: Web, data: bytes) -> None:
        error = {"message": ERROR, "type": "invalid_request_error", "param": None, "code": "400"}
        web.json({"error": error}, 400)


def test_upload_refused_in_the_words_of_python(start: Start) -> None:
    case = start(Server())
    said = case.submit(exits=(2,), says="Invalid file format for Batch API")
    assert "'type':" not in said
