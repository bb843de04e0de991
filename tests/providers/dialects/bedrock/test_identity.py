"""Who is signed in and whom the role trusts, asked of moto and of answers of our own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import boto3
import httpx
import pytest

from tests.fakes.bucket import REGION, moto_url
from tests.providers.dialects.bedrock.test_jobs import bedrock
from tests.providers.fakes import Scripted
from tui.errors import BatchdeckError, ConfigError, KeyRejectedError

__all__ = ["moto_url"]

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/bd"


def policy(service: Any = "bedrock.amazonaws.com", **fields: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        **fields,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def iam(moto_url: str) -> Iterator[Any]:
    yield boto3.client("iam", endpoint_url=moto_url, region_name="us-east-1")
    httpx.post(f"{moto_url}/moto-api/reset")


@pytest.fixture
async def dialect(moto_url: str) -> AsyncIterator[Any]:
    from tui.providers.connect import connect
    from tui.providers.profiles.load import find_profile

    params = {
        "region": REGION, "bucket": "answers", "role_arn": ROLE,
        "sts_url": moto_url, "iam_url": moto_url,
    }  # fmt: skip
    made: Any = connect(find_profile("bedrock"), base_url=moto_url, params=params)
    yield made
    await made.aclose()


async def test_the_sign_in_and_the_role_are_told(iam: Any, dialect: Any) -> None:
    iam.create_role(RoleName="bd", Path="/service-role/", AssumeRolePolicyDocument=policy())
    assert await dialect.check_identity() == (
        f"Signed in as arn:aws:sts::{ACCOUNT}:user/moto.",
        "The role bd trusts Bedrock.",
    )


@pytest.mark.parametrize(
    "trust",
    [policy("ec2.amazonaws.com"), policy(Effect="Deny"), policy(Action="sts:TagSession")],
)
async def test_a_role_that_does_not_trust_bedrock_is_named(
    trust: str, iam: Any, dialect: Any
) -> None:
    iam.create_role(RoleName="bd", AssumeRolePolicyDocument=trust)
    with pytest.raises(ConfigError, match=r"bd does not trust bedrock\.amazonaws\.com") as caught:
        await dialect.check_identity()
    assert "trust policy" in caught.value.hint


async def test_a_role_that_is_not_there_is_named(iam: Any, dialect: Any) -> None:
    with pytest.raises(ConfigError, match="there is no role bd") as caught:
        await dialect.check_identity()
    assert "params.role_arn" in caught.value.hint


def answers(identity: httpx.Response, role: httpx.Response | None = None) -> Any:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.content.decode()
        found = identity if "GetCallerIdentity" in asked else role
        assert found is not None
        host = "sts.eu-west-1" if found is identity else "iam"
        assert request.url.host == f"{host}.amazonaws.com"
        region, service = ("eu-west-1", "sts") if found is identity else ("us-east-1", "iam")
        assert f"/{region}/{service}/aws4_request" in request.headers["authorization"]
        return found

    return bedrock(Scripted({"POST /": answer}), role_arn=ROLE)


def identity(account: str = ACCOUNT) -> httpx.Response:
    arn = f"arn:aws:sts::{account}:assumed-role/dev/ann"
    inner = f"<Arn>{arn}</Arn><UserId>U</UserId><Account>{account}</Account>"
    return httpx.Response(
        200, text=f'<R xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{inner}</R>'
    )


def error(code: str, status: int = 403) -> httpx.Response:
    return httpx.Response(
        status, text=f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
    )


async def test_a_role_of_another_account_is_named() -> None:
    with pytest.raises(ConfigError, match="is not of the AWS account 210987654321") as caught:
        await answers(identity("210987654321")).check_identity()
    assert "AWS_PROFILE" in caught.value.hint


async def test_a_session_that_has_ended_is_named() -> None:
    with pytest.raises(KeyRejectedError, match="has expired") as caught:
        await answers(error("ExpiredToken")).check_identity()
    assert "aws sso login" in caught.value.hint


async def test_credentials_that_are_not_valid_are_refused() -> None:
    with pytest.raises(BatchdeckError):
        await answers(error("InvalidClientTokenId")).check_identity()


async def test_a_role_that_may_not_be_looked_at_is_said_to_be_unchecked() -> None:
    _, role = await answers(identity(), error("AccessDenied")).check_identity()
    assert "iam:GetRole" in role


async def test_a_policy_may_name_several_services() -> None:
    trust = quote(policy(["ec2.amazonaws.com", "bedrock.amazonaws.com"], Action=["sts:*"]))
    found = httpx.Response(
        200, text=f"<R><AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument></R>"
    )
    _, role = await answers(identity(), found).check_identity()
    assert role == "The role bd trusts Bedrock."
