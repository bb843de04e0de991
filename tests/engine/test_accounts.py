from __future__ import annotations

import asyncio
from pathlib import Path
from unittest.mock import Mock

import keyring
import msgspec
import pytest
from keyring.errors import NoKeyringError

from tui.config.api_keys import remember_key
from tui.config.settings import AccountConfig, Config
from tui.engine.accounts import SANDBOX_RATE_VARIABLE, SANDBOX_URL, Accounts, sandbox_rate
from tui.engine.engine import Engine
from tui.errors import ConfigError, KeyMissingError, KeyRejectedError, UsageError
from tui.paths import Paths

CONFIG = Config(
    default_account="work",
    accounts={
        "work": AccountConfig(provider="openai", key_env="WORK_KEY"),
        "box": AccountConfig(provider="sandbox"),
        "lost": AccountConfig(provider="nobody"),
        "azure": AccountConfig(provider="azure-openai", params={"resource": "mine"}),
    },
)


@pytest.fixture
def accounts(paths: Paths) -> Accounts:
    return Accounts(paths, CONFIG, sandbox_rate=0)


def test_the_default_comes_first_and_the_sandbox_last(accounts: Accounts, paths: Paths) -> None:
    assert accounts.names() == ["work", "box", "lost", "azure", "sandbox"]
    assert Accounts(paths, Config()).names() == ["sandbox"]


def test_what_is_known_of_an_account(accounts: Accounts) -> None:
    info = accounts.info("work")
    assert (info.provider, info.needs_key) == ("openai", True)
    assert info.variables == ("BATCHDECK_KEY_WORK", "WORK_KEY", "OPENAI_API_KEY")
    assert info.windows == ("24h",)
    assert "mine" in accounts.info("azure").base_url
    # A provider's own name is an account as well.
    assert accounts.info("openai").variables == ("BATCHDECK_KEY_OPENAI", "OPENAI_API_KEY")


def test_an_account_for_practice_is_not_polled_as_seldom_as_its_provider(paths: Paths) -> None:
    dry = AccountConfig(provider="gemini", base_url=SANDBOX_URL)
    accounts = Accounts(paths, Config(accounts={"dry": dry}))
    assert accounts.profile("gemini").poll.min_seconds == 60
    poll = accounts.profile("dry").poll
    assert (poll.min_seconds, poll.max_seconds) == (0.2, 2)
    accounts.pace("dry", 30)
    assert accounts.profile("dry").poll.min_seconds == 30


def test_names_that_mean_nothing(accounts: Accounts) -> None:
    with pytest.raises(UsageError, match="no account 'none'"):
        accounts.info("none")
    with pytest.raises(ConfigError, match="unknown provider 'nobody'"):
        accounts.info("lost")


async def test_a_key_is_asked_for_when_it_is_needed(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyMissingError) as caught:
        await accounts.dialect("work")
    assert "BATCHDECK_KEY_WORK" in caught.value.hint
    monkeypatch.setenv("WORK_KEY", "secret")
    dialect = await accounts.dialect("work")
    assert await accounts.dialect("work") is dialect
    error = KeyRejectedError("no")
    await accounts.refused("work", error)
    assert "WORK_KEY" in error.hint
    remember_key("work", "other", accounts.info("work").base_url)
    assert await accounts.dialect("work") is not dialect
    await accounts.aclose()


async def test_a_keyring_that_is_not_there_is_not_offered(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyMissingError) as offered:
        await accounts.dialect("openai+direct")
    assert offered.value.hint == (
        "Set BATCHDECK_KEY_OPENAI or OPENAI_API_KEY, or run `batchdeck keys set openai`."
    )
    monkeypatch.setattr(keyring, "get_password", Mock(side_effect=NoKeyringError("none")))
    with pytest.raises(KeyMissingError, match="has no key, and this machine has no") as caught:
        await accounts.dialect("openai")
    assert caught.value.hint == (
        "Set BATCHDECK_KEY_OPENAI or OPENAI_API_KEY, or enter the key for this session in the"
        " dashboard."
    )


async def test_one_sandbox_for_all_accounts_that_lead_to_it(accounts: Accounts) -> None:
    dialects = await asyncio.gather(
        *(accounts.dialect(name) for name in ("box", "sandbox", "box", "sandbox"))
    )
    assert dialects[0] is dialects[2]
    (sandbox,) = accounts._sandboxes.values()
    assert sandbox.uds is not None
    folder = sandbox.uds.parent
    assert [await each.models() for each in dialects[:2]]
    await accounts.aclose()
    assert not folder.exists()
    await accounts.aclose()


@pytest.mark.parametrize(
    ("text", "rate"), [("", 2000.0), ("0", 0.0), (" 7.5 ", 7.5), (None, 2000.0)]
)
def test_the_speed_of_the_sandbox(
    monkeypatch: pytest.MonkeyPatch, text: str | None, rate: float
) -> None:
    if text is not None:
        monkeypatch.setenv(SANDBOX_RATE_VARIABLE, text)
    assert sandbox_rate() == rate


@pytest.mark.parametrize("text", ["fast", "-1", "nan", "inf", "1e400"])
def test_no_speed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(SANDBOX_RATE_VARIABLE, text)
    with pytest.raises(ConfigError, match="not a number of rows"):
        sandbox_rate()


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5-mini"),
        ("anthropic", "claude-haiku-4-5"),
        ("gemini", "gemini-2.5-flash"),
        ("xai", "grok-4.3"),
    ],
)
async def test_any_account_can_be_rehearsed_with_the_sandbox(
    provider: str, model: str, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-person")
    messages = [{"role": "user", "content": "Hello"}]
    body = {"model": model, "messages": messages, "max_tokens": 50}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    file = tmp_path / "one.jsonl"
    file.write_bytes(msgspec.json.encode(line) + b"\n")
    account = AccountConfig(provider=provider, base_url=SANDBOX_URL)
    engine = await Engine.open(paths, Config(accounts={"rehearsal": account}))
    try:
        job = await engine.requests.import_file(file, account="rehearsal")
        await engine.submit(job.id)
        await engine.wait([job.id])
        job = engine.history.jobs.get(job.id)
        assert (job.provider, job.counts.succeeded) == (provider, 1)
        # With the prices of the provider: that is what it is for.
        assert job.cost.actual is not None and job.cost.actual > 0
    finally:
        await engine.close()
