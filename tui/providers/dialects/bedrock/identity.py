"""Who signs in to AWS, and whether Bedrock may assume the account's role: free questions.

Wire facts: botocore's service models ``sts/2011-06-15`` (``GetCallerIdentity``, which needs no
right) and ``iam/2010-05-08`` (``GetRole``); the trust policy is that of docs.aws.amazon.com/
bedrock/latest/userguide/batch-iam-sr.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlencode
from xml.etree import ElementTree

from tui.errors import BatchdeckError, ConfigError, KeyRejectedError
from tui.providers.dialects.bedrock.explanations import clock_error
from tui.providers.stores.aws import sign_in_ended
from tui.providers.wire.client import Call, HttpClient

SERVICE = "bedrock.amazonaws.com"
_ASSUME = frozenset({"sts:AssumeRole", "sts:*", "*"})
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_ENDED = re.compile(r"<Code>(?:ExpiredToken\w*|RequestExpired)</Code>")


class IdentityCheck:
    """Asks AWS about the sign-in and the role of one account.

    Args:
        sts: A client of STS, whose requests are signed.
        iam: A client of IAM, whose requests are signed.
        params: The account's own values; ``role_arn`` is checked.
    """

    def __init__(self, sts: HttpClient, iam: HttpClient, params: Mapping[str, str]) -> None:
        self._sts = sts
        self._iam = iam
        self._role = params.get("role_arn", "")

    async def run(self) -> tuple[str, ...]:
        """Check both; returns what was found, one sentence each.

        Raises:
            ConfigError: The role does not exist, is another AWS account's, or does not trust
                Bedrock; or the clock of this machine is wrong.
            KeyRejectedError: The credentials are not valid.
        """
        found = await self._ask(self._sts, "GetCallerIdentity", "2011-06-15")
        arn = found.findtext(".//{*}Arn") or "unknown"
        account = found.findtext(".//{*}Account") or ""
        if account and account not in self._role.split(":"):
            raise ConfigError(
                f"the role {self._role} is not of the AWS account {account}, in which you are"
                f" signed in as {arn}",
                "Set params.role_arn of the account, or choose other credentials: AWS_PROFILE.",
            )
        return (f"Signed in as {arn}.", await self._trust())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._sts.aclose()
        await self._iam.aclose()

    async def _trust(self) -> str:
        """Whether the role trusts Bedrock, as a sentence.

        Raises:
            ConfigError: It does not, or there is no such role.
        """
        name = self._role.rpartition("/")[2]
        try:
            found = await self._ask(self._iam, "GetRole", "2010-05-08", RoleName=name)
        except ConfigError:
            raise
        except BatchdeckError as error:
            if "<Code>NoSuchEntity</Code>" in error.body:
                raise ConfigError(
                    f"there is no role {name} in this AWS account",
                    "Check params.role_arn of the account.",
                ) from error
            return f"The role {name} could not be read; that needs iam:GetRole."
        policy = unquote(found.findtext(".//{*}AssumeRolePolicyDocument") or "")
        if not _trusts_bedrock(policy):
            raise ConfigError(
                f"the role {name} does not trust {SERVICE}, so Bedrock cannot use it",
                f"Allow {SERVICE} sts:AssumeRole in its trust policy.",
            )
        return f"The role {name} trusts Bedrock."

    async def _ask(
        self, client: HttpClient, action: str, version: str, **fields: str
    ) -> ElementTree.Element:
        content = urlencode({"Action": action, "Version": version, **fields}).encode()
        call = Call(
            "POST", "/", "check the sign-in", headers=_FORM, body=lambda: {"content": content}
        )
        try:
            reply = await client.ask(call)
        except KeyRejectedError as error:
            if _ENDED.search(error.body):
                raise sign_in_ended() from error
            if (clock := clock_error(error.body)) is not None:
                raise clock from error
            raise
        try:
            return ElementTree.fromstring(reply.body)
        except ElementTree.ParseError:
            raise reply.unexpected("is not XML") from None


def _trusts_bedrock(policy: str) -> bool:
    """Whether a trust policy lets Bedrock assume the role; its conditions are not looked at."""
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, KeyError, TypeError):
        return False
    return any(
        isinstance(each, dict)
        and each.get("Effect") == "Allow"
        and not _ASSUME.isdisjoint(_texts(each.get("Action")))
        and SERVICE in _texts((each.get("Principal") or {}).get("Service"))
        for each in (statements if isinstance(statements, list) else [statements])
        if isinstance(each, dict) and isinstance(each.get("Principal") or {}, dict)
    )


def _texts(value: Any) -> list[str]:
    return [
        each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
    ]
