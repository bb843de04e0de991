"""Adding an account to ``config.toml``, and testing one with a free request."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tui.config.api_keys import account_variable, sharing
from tui.config.settings import AccountConfig, Config, add_account, load_config
from tui.core.formatting import counted
from tui.engine.accounts import SANDBOX, SANDBOX_URL, Accounts
from tui.errors import (
    BatchdeckError,
    KeyRejectedError,
    RequestRejectedError,
    UnexpectedResponseError,
    UnreachableError,
    UsageError,
)
from tui.paths import Paths
from tui.providers.profiles.load import Profile, find_profile, load_profiles
from tui.providers.profiles.model import SignIn

if TYPE_CHECKING:
    from tui.providers.wire.network import Route


_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_HAS_PASSWORD = re.compile(r"(?i)\s*https?://[^/?#]*@")
_OWN_HOST = re.compile(r"https?://\{\w+\}(?:[:/]|$)")


@dataclass(frozen=True)
class ProviderChoice:
    """A provider that an account can be added for.

    Attributes:
        base_url: Its own base URL; empty if each account has one. It may have ``{placeholders}``.
        ways: The ways to sign in, the usual one first.
        variables: The environment variables that may hold the key.
        params: The names of the account's own values that it needs, such as its bucket.
        address_params: Those among them that only its own base URL needs.
    """

    id: str
    name: str
    base_url: str
    needs_key: bool
    ways: tuple[SignIn, ...] = ("key",)
    variables: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    address_params: tuple[str, ...] = ()

    @property
    def needs_address(self) -> bool:
        """Whether an account has to say its base URL, because the server is the user's own."""
        return not self.base_url or _OWN_HOST.match(self.base_url) is not None

    @property
    def set_variable(self) -> str:
        """The variable of the environment that holds the key now; empty if none does."""
        return next((name for name in self.variables if os.environ.get(name)), "")

    def lacks(self, params: Mapping[str, str], address: str = "") -> list[str]:
        """The names of the values that an account with these, and its own address, lacks."""
        unused = self.address_params if address else ()
        return [name for name in self.params if not params.get(name) and name not in unused]


def provider_choices(config: Config) -> list[ProviderChoice]:
    """The providers that an account can be added for, by name."""
    found = [
        _choice_of(each) for each in load_profiles(config.providers).values() if each.id != SANDBOX
    ]
    return sorted(found, key=lambda choice: choice.name.casefold())


def _choice_of(profile: Profile) -> ProviderChoice:
    """What a provider needs of an account; values that the environment has are not among it."""
    given = {name for name, value in profile.auth.params_env.items() if os.environ.get(value)}
    given |= {"model"} | ({"region"} if profile.store.region else set())
    texts = list(profile.create.headers.values())
    if profile.store.kind:
        texts += [profile.store.endpoint_url, "{bucket}"]
    if profile.dialect == "bedrock":
        texts.append("{role_arn}")
    own = _placeholders(texts)
    base_url = "" if _OWN_HOST.match(profile.base_url) else profile.base_url
    names = [name for name in _placeholders([base_url, *texts]) if name not in given]
    return ProviderChoice(
        id=profile.id,
        name=profile.name,
        base_url=profile.base_url,
        needs_key=profile.needs_key,
        ways=profile.auth.ways,
        variables=profile.env,
        params=tuple(names),
        address_params=tuple(name for name in names if name not in own),
    )


def _placeholders(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for text in texts for name in _PLACEHOLDER.findall(text)))


def missing_params(profile: Profile, account: AccountConfig) -> list[str]:
    """The values that an account of a provider with a bucket must have, and does not.

    Args:
        profile: The provider.
        account: The account; one whose rows are sent one by one needs no bucket.

    Returns:
        The names of ``params``, in the order in which they are asked for.
    """
    if not profile.store.kind:
        return []
    if account.base_url == SANDBOX_URL:
        return []
    lacking = _choice_of(profile).lacks(account.params, account.base_url or "")
    if account.kind != "direct":
        return lacking
    return [name for name in lacking if name in _placeholders([profile.base_url])]


def store_account(paths: Paths, name: str, account: AccountConfig) -> Config:
    """Add an account to ``config.toml``; returns the new settings.

    Raises:
        UsageError: The name is invalid, taken, or would share its environment variable; or the
            account lacks a value that its provider needs, or its base URL holds a password.
        ProfileError: There is no such provider.
        ConfigError: The file is invalid or cannot be written.
    """
    before = load_config(paths)
    profile = find_profile(account.provider, before.providers)
    if _HAS_PASSWORD.match(account.base_url or ""):
        raise UsageError(
            "the base URL holds a password, which is not sent",
            f"Leave it out; to store a key: `batchdeck keys set {name}`.",
        )
    if missing := missing_params(profile, account):
        given = " ".join(f"--param {each}=…" for each in missing)
        raise UsageError(
            f"{profile.name} needs {' and '.join(missing)}",
            f"`batchdeck accounts add {name} --provider {profile.id} {given}`; `batchdeck"
            f" providers {profile.id}` says what they are.",
        )
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
        facts: What else was found, such as who is signed in; one sentence each.
    """

    models: list[str]
    was_asked: bool
    storage: str | None
    facts: tuple[str, ...] = ()

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
        facts = await accounts.check_identity(name)
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
    return AccountTest(models, was_asked, storage, facts)


async def _explain(accounts: Accounts, name: str, error: BatchdeckError) -> None:
    """Prefix the error with what is wrong with the account, and add a hint."""
    address = accounts.info(name).shown_url
    if isinstance(error, KeyRejectedError):
        if not error.hint:
            error.message = f"the key is wrong: {error.message}"
        await accounts.refused(name, error)
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
