"""Adding an account to ``config.toml``, and testing one with a free request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tui.config.api_keys import account_variable, sharing
from tui.config.settings import AccountConfig, Config, add_account, load_config
from tui.core.formatting import counted
from tui.engine.accounts import SANDBOX, Accounts
from tui.errors import (
    BatchdeckError,
    KeyRejectedError,
    RequestRejectedError,
    UnexpectedResponseError,
    UnreachableError,
    UsageError,
)
from tui.paths import Paths
from tui.providers.profiles.load import find_profile, load_profiles

if TYPE_CHECKING:
    from tui.providers.wire.network import Route


@dataclass(frozen=True)
class ProviderChoice:
    """A provider that an account can be added for.

    Attributes:
        base_url: Its own base URL; empty if each account has one. It may have ``{placeholders}``.
    """

    id: str
    name: str
    base_url: str
    needs_key: bool

    @property
    def needs_address(self) -> bool:
        """Whether an account has to say its base URL."""
        return not self.base_url or "{" in self.base_url


def provider_choices(config: Config) -> list[ProviderChoice]:
    """The providers that an account can be added for, by name."""
    found = [
        ProviderChoice(each.id, each.name, each.base_url, each.needs_key)
        for each in load_profiles(config.providers).values()
        if each.id != SANDBOX
    ]
    return sorted(found, key=lambda choice: choice.name.casefold())


def store_account(paths: Paths, name: str, account: AccountConfig) -> Config:
    """Add an account to ``config.toml``; returns the new settings.

    Raises:
        UsageError: The name is invalid, taken, or would share its environment variable.
        ProfileError: There is no such provider.
        ConfigError: The file is invalid or cannot be written.
    """
    before = load_config(paths)
    profile = find_profile(account.provider, before.providers)
    if shared_with := sharing(name, before.accounts):
        raise UsageError(
            f"{name} and {shared_with[0]} would share the variable {account_variable(name)}",
            "Choose a name that differs in more than '-' and '_'.",
        )
    add_account(paths, name, msgspec.structs.replace(account, provider=profile.id))
    return load_config(paths)


@dataclass(frozen=True)
class AccountTest:
    """The result of a free request with an account.

    Attributes:
        models: The models that the provider lists; empty if it has no list.
        was_asked: Whether the provider has a free request that could be sent.
        storage: The bucket that was checked; ``None`` if the account has none.
    """

    models: list[str]
    was_asked: bool
    storage: str | None

    @property
    def words(self) -> str:
        """What to say after the name of the account."""
        if self.models:
            return f"works: {counted(len(self.models), 'model')} available"
        return "works" if self.was_asked else "cannot be tested: the provider has no free request"


async def check_account(accounts: Accounts, name: str) -> AccountTest:
    """Send a free request with an account.

    Raises:
        BatchdeckError: It fails; the message says whether the key, the address or the network
            is wrong.
    """
    dialect = await accounts.dialect(name)
    try:
        try:
            models = await dialect.models()
        except RequestRejectedError as error:
            # Servers of batches need not list models.
            if error.status not in (404, 405, 501) or not dialect.capabilities.lists:
                raise
            models = []
        was_asked = bool(models)
        if not models and dialect.capabilities.lists:
            await anext(aiter(dialect.list_batches()), None)
            was_asked = True
        storage = await accounts.check_storage(name)
    except BatchdeckError as error:
        await _explain(accounts, name, error)
        raise
    return AccountTest(models, was_asked, storage)


async def _explain(accounts: Accounts, name: str, error: BatchdeckError) -> None:
    """Prefix the error with what is wrong with the account, and add a hint."""
    address = accounts.info(name).base_url
    if isinstance(error, KeyRejectedError):
        await accounts.refused(name, error)
        error.message = f"the key is wrong: {error.message}"
    elif isinstance(error, UnreachableError):
        error.message = f"cannot reach {address}: {error.message}"
        hint = error.hint or "Check the address and the network."
        error.hint = " ".join([*route_lines(accounts.route(name)), hint])
    elif isinstance(error, RequestRejectedError | UnexpectedResponseError):
        error.message = f"{address} does not answer like this provider: {error.message}"
        error.hint = "Check the account's base_url in config.toml."


def route_lines(route: Route) -> list[str]:
    """Lines that say which proxy and which certificates are used, if any are set."""
    lines = []
    if route.proxy:
        lines.append(f"Through the proxy {route.shown_proxy}, set in {route.proxy_variable}.")
    if route.certificates:
        lines.append(f"With the certificates in {route.certificates}.")
    return lines
