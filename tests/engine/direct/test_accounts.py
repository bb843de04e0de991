"""Accounts whose rows are sent one by one: their names, keys, prices and limits."""

from __future__ import annotations

import pytest

from tui.compose.prices import find_rates
from tui.config.settings import AccountConfig, Config, PriceConfig, add_account, load_config
from tui.engine.accounts import Accounts
from tui.errors import UsageError
from tui.paths import Paths


@pytest.fixture
def accounts(paths: Paths) -> Accounts:
    own = {
        "ours": AccountConfig(provider="openai", key_env="OUR_KEY"),
        "lane": AccountConfig(provider="doubleword", kind="direct", concurrency=9),
    }
    prices = {"mine": PriceConfig(input=2, output=8, batch_discount=0.5)}
    return Accounts(paths, Config(accounts=own, prices=prices))


def test_a_name_stands_for_the_same_account(accounts: Accounts) -> None:
    plain, direct = accounts.info("ours"), accounts.info("ours+direct")
    assert (plain.direct, direct.direct) == (False, True)
    assert direct.variables == plain.variables and direct.base_url == plain.base_url
    assert direct.variables[0] == "BATCHDECK_KEY_OURS"
    assert accounts.info("lane").direct
    assert "ours+direct" not in accounts.names()
    with pytest.raises(UsageError):
        accounts.info("nobody+direct")


def test_what_holds_for_batches_is_gone(accounts: Accounts) -> None:
    batch, direct = accounts.profile("doubleword"), accounts.profile("lane")
    assert batch.limits.rows and not direct.limits.rows
    assert batch.retention_days and direct.retention_days is None
    assert batch.paths.estimate and not direct.paths.estimate
    assert accounts.info("lane").windows == ()


def test_nobody_promises_the_discount_of_a_batch(accounts: Accounts) -> None:
    batch = find_rates("gpt-5-mini", accounts.price_source("ours"))
    direct = find_rates("gpt-5-mini", accounts.price_source("ours+direct"))
    assert batch is not None and direct is not None
    assert direct.tiers[0][1:] == tuple(2 * price for price in batch.tiers[0][1:])
    assert "batch" not in direct.note
    own = find_rates("mine", accounts.price_source("ours+direct"))
    assert own is not None and own.tiers == ((0, 2, 8),)
    # The vendor's list is one of batch prices, which single requests do not have.
    assert find_rates("openai/gpt-oss-20b", accounts.price_source("doubleword")) is not None
    assert "openai/gpt-oss-20b" not in accounts.price_source("lane").overrides


def test_an_account_is_written_as_short_as_it_can_be(paths: Paths) -> None:
    add_account(paths, "local", AccountConfig(provider="direct", base_url="http://127.0.0.1:1/v1"))
    add_account(paths, "quick", AccountConfig(provider="openai", kind="direct", concurrency=32))
    text = paths.config_file.read_text("utf-8")
    assert text.count("kind") == 1 and text.count("concurrency") == 1
    assert load_config(paths).accounts["quick"].kind == "direct"
