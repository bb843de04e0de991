"""Who is signed in to AWS, and which role there is: one call of STS, and one of IAM.

Every role exists and trusts Bedrock.

Sources: botocore's service models `sts/2011-06-15` and `iam/2010-05-08`; the Bedrock user guide,
"Create a service role for batch inference".
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tui.sandbox.app import route
from tui.sandbox.backend import Endpoints
from tui.sandbox.clouds.signatures import check_key
from tui.sandbox.errors import ApiError

ACCOUNT = "111122223333"
"""The AWS account of every key."""
_ID = "11111111-2222-3333-4444-555555555555"
_CREATED = "2026-01-01T00:00:00Z"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Identity(Endpoints):
    """The route of both services."""

    def routes(self) -> list[Route]:
        """One route; the call stands in its form."""
        return [route(self.backend, "POST", "/", self.answer, "identity")]

    async def answer(self, request: Request) -> Response:
        """Answer `GetCallerIdentity` or `GetRole`."""
        raw = await request.body()
        form = dict(parse_qsl(raw.decode("utf-8", "replace")))
        action, options = form.get("Action", ""), self.backend.options
        service, region = ("iam", "us-east-1") if action == "GetRole" else ("sts", options.region)
        try:
            check_key(request, raw, options.key or "", region=region, service=service)
        except ApiError as error:
            return _error(403, "InvalidClientTokenId", error.message)
        if action == "GetCallerIdentity":
            arn = f"arn:aws:iam::{ACCOUNT}:user/sandbox"
            inner = f"<Arn>{arn}</Arn><UserId>AIDASANDBOX</UserId><Account>{ACCOUNT}</Account>"
            return _reply(action, "https://sts.amazonaws.com/doc/2011-06-15/", inner)
        if action == "GetRole":
            name = escape(form.get("RoleName", ""))
            fields = {
                "Path": "/",
                "RoleName": name,
                "RoleId": "AROASANDBOX",
                "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "CreateDate": _CREATED,
                "AssumeRolePolicyDocument": quote(json.dumps(_TRUST), safe=""),
            }
            inner = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
            space = "https://iam.amazonaws.com/doc/2010-05-08/"
            return _reply(action, space, f"<Role>{inner}</Role>")
        return _error(400, "InvalidAction", f"Could not find operation {action}.")


def _reply(action: str, space: str, inner: str) -> Response:
    meta = f"<ResponseMetadata><RequestId>{_ID}</RequestId></ResponseMetadata>"
    result = f"<{action}Result>{inner}</{action}Result>"
    body = f'<{action}Response xmlns="{space}">{result}{meta}</{action}Response>'
    return Response(body, media_type="text/xml")


def _error(status: int, code: str, text: str) -> Response:
    inner = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(text)}</Message>"
    body = f"<ErrorResponse><Error>{inner}</Error><RequestId>{_ID}</RequestId></ErrorResponse>"
    return Response(body, status, media_type="text/xml")
