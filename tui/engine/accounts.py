"""Accounts by name: who requests are sent to, with which key, limits and prices."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tui.addresses import shown_address
from tui.compose.prices import PriceSource, TokenPrice
from tui.compose.requests.rules import LineValidator, RequestLimits
from tui.config.api_keys import FoundKey, account_variable, find_key, sharing
from tui.config.settings import AccountConfig, Config, PriceConfig
from tui.errors import ConfigError, KeyMissingError, KeyRejectedError, UsageError
from tui.paths import Paths
from tui.providers.dialect import ChecksIdentity, Dialect, KeepsFiles
from tui.providers.dialects.direct import DEFAULT_CONCURRENCY, DirectSettings, direct_profile
from tui.providers.profiles.load import Profile, load_profiles, shipped_ids
from tui.providers.profiles.model import Store, base_url_of, fill_in
from tui.providers.wire.client import RequestCounter

if TYPE_CHECKING:
    from tui.providers.wire.network import Route
    from tui.sandbox.serve import LocalSandbox


FREE_PROVIDER = "sandbox"
"""The provider that costs nothing: its answers are simulated, so no price is shown."""


def price_source(profile: Profile, own: Mapping[str, PriceConfig], window: str = "") -> PriceSource:
    """The prices of a provider's models.

    Args:
        profile: The provider.
        own: The user's own prices, by model; they take precedence.
        window: The completion window; some providers charge by window.
    """
    if profile.id == FREE_PROVIDER:
        return PriceSource()
    prices = profile.prices
    overrides: dict[str, TokenPrice] = {}
    for model, price in prices.overrides.items():
        chosen = price.windows.get(window, price)
        overrides[model] = TokenPrice(
            input=chosen.input, output=chosen.output, cached=chosen.cached, note="vendor's list"
        )
    for model, table in own.items():
        factor = 1.0 if profile.direct else 1 - table.batch_discount
        overrides[model] = TokenPrice(
            input=table.input * factor,
            output=table.output * factor,
            cached=None if table.cached is None else table.cached * factor,
        )
    return PriceSource(
        provider=prices.genai_prices_id,
        currency=prices.currency,
        batch_discount=prices.batch_discount,
        overrides=overrides,
        aliases=prices.model_alias,
        single=profile.direct,
    )


def limits_of(profile: Profile) -> RequestLimits:
    """The limits of a provider, as a check needs them."""
    version = profile.messages.version
    check_line: LineValidator | None = None
    if profile.dialect == "messages":
        from tui.providers.dialects.anthropic import ParamsEncoder

        check_line = ParamsEncoder(version, profile.limits.custom_id_pattern).write
    elif profile.dialect == "gemini":
        from tui.providers.dialects.google.gemini import GeminiEncoder

        check_line = GeminiEncoder(profile.gemini.rows).write
    elif profile.dialect == "vertex":
        from tui.providers.dialects.google.vertex_requests import VertexEncoder

        check_line = VertexEncoder(profile.vertex).write
    elif profile.dialect == "bedrock":
        from tui.providers.dialects.bedrock.rows import BedrockEncoder

        check_line = BedrockEncoder(profile.bedrock).write
    return RequestLimits(
        **msgspec.structs.asdict(profile.limits),
        splits=True,
        models=profile.models,
        refuses=tuple(rule for rule in profile.refuses if rule.since <= version),
        needs=profile.needs,
        check_line=check_line,
        checks_messages=profile.dialect == "bedrock",
        provider_name=profile.name,
        endpoints=profile.endpoints,
        endpoints_known=profile.endpoints_known and profile.id in shipped_ids(),
        checks=profile.checks,
    )


SANDBOX = "sandbox"
"""The account that needs no key and no configuration."""

SANDBOX_URL = "sandbox:"
"""A base URL that points an account to the sandbox, for practice."""

_ON_A_PORT = frozenset({"bedrock", "fireworks", "vertex"})
"""Providers whose files have addresses of their own, which a socket cannot have."""

_LIKES = {"messages": "anthropic", "gemini": "gemini"} | {name: name for name in _ON_A_PORT}
"""Whom the sandbox imitates then, by the dialect; xAI beside them, and for others OpenAI."""

_SANDBOX_REGION = "us-east-1"
_SANDBOX_ROLE = "arn:aws:iam::111122223333:role/sandbox"

SANDBOX_RATE_VARIABLE = "BATCHDECK_SANDBOX_ROWS_PER_SECOND"
_SANDBOX_RATE = 2000.0

_DIRECT = "+direct"
"""Suffix of an account name: its rows are sent one by one, whatever its kind."""


@dataclass(frozen=True)
class AccountInfo:
    """The properties of an account, without its key.

    Attributes:
        provider: The id of its provider.
        provider_name: The provider's display name.
        variables: The environment variables that may hold the key.
        windows: The completion windows, the default one first.
        retention_days: How long the provider keeps results; ``None`` if not known.
        direct: Whether rows are sent one by one.
        asks: Whether the provider accepts single requests.
    """

    name: str
    provider: str
    provider_name: str
    base_url: str
    needs_key: bool
    variables: tuple[str, ...]
    windows: tuple[str, ...]
    endpoints: tuple[str, ...]
    retention_days: int | None
    direct: bool = False
    asks: bool = True

    @property
    def is_free(self) -> bool:
        """Whether the account costs nothing."""
        return self.provider == FREE_PROVIDER

    @property
    def shown_url(self) -> str:
        """The base URL without its query, which may be a key."""
        return shown_address(self.base_url) if {"?", "@"} & {*self.base_url} else self.base_url


class Accounts:
    """Finds accounts by name and opens each one once.

    Args:
        paths: The folders of the program; the sandbox stores its state there.
        config: The configured accounts.
        clock: Returns Unix seconds; used by the sandbox as well.
        sandbox_rate: The sandbox's rows per second; overrides the environment variable.

    Attributes:
        traffic: Counts of the requests to each account since the start.
    """

    def __init__(
        self,
        paths: Paths,
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        sandbox_rate: float | None = None,
    ) -> None:
        self._sandbox_rate = sandbox_rate
        self._paths = paths
        self._config = config
        self._clock = clock
        self._profiles: dict[str, Profile] = load_profiles(config.providers)
        self._given_keys: dict[str, str] = {}
        self._intervals: dict[str, float] = {}
        self._dialects: dict[str, Dialect] = {}
        self.traffic: dict[str, RequestCounter] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._sandboxes: dict[str, LocalSandbox] = {}
        self._sandbox_lock = threading.Lock()

    def apply_config(self, config: Config) -> None:
        """Apply new settings; the providers are not reloaded."""
        self._config = config

    @property
    def default(self) -> str:
        """The account that is used if none is named."""
        return self._config.default_account

    def names(self) -> list[str]:
        """The names of the accounts: the default first, the sandbox last."""
        names = [self.default, *self._config.accounts, SANDBOX]
        return list(dict.fromkeys(names))

    def profile(self, name: str) -> Profile:
        """The profile of an account.

        Raises:
            UsageError: No account or provider has this name.
            ConfigError: The account's provider does not exist.
        """
        table = self._table(name)
        profile = self._profiles.get(table.provider)
        if profile is None:
            raise ConfigError(
                f"account {name!r} has the unknown provider {table.provider!r}",
                "Run `batchdeck providers` to list the known ones.",
            )
        if table.kind == "direct":
            profile = direct_profile(profile)
        least = most = self._intervals.get(name)
        if least is None and table.base_url == SANDBOX_URL:
            # Who practises does not wait as long as a provider in use has to be left alone.
            own = self._profiles[SANDBOX].poll
            least = min(own.min_seconds, profile.poll.min_seconds)
            most = min(own.max_seconds, profile.poll.max_seconds)
        if least is None or most is None:
            return profile
        poll = msgspec.structs.replace(profile.poll, min_seconds=least, max_seconds=most)
        return msgspec.structs.replace(profile, poll=poll)

    def pace(self, name: str, seconds: float) -> None:
        """Poll the batches of an account at this interval instead of the provider's."""
        self._intervals[name] = seconds

    def set_key(self, name: str, key: str) -> None:
        """Use this key for an account in this process, before any other key."""
        self._given_keys[name] = key.strip()

    def info(self, name: str) -> AccountInfo:
        """The properties of an account, without its key."""
        table = self._table(name)
        profile = self.profile(name)
        return AccountInfo(
            name=name,
            provider=profile.id,
            provider_name=profile.name,
            base_url=_base_url(profile, table),
            needs_key=profile.needs_key and table.base_url != SANDBOX_URL,
            variables=self._variables(name),
            windows=tuple(profile.windows),
            endpoints=tuple(profile.endpoints),
            retention_days=profile.retention_days,
            direct=profile.direct,
            asks=profile.can.ask,
        )

    def list_is_complete(self, name: str) -> bool:
        """Whether an account's list of batches is known to show every batch of it.

        Known of the vendor's own server only; a gateway at another address may keep its own list,
        unless ``config.toml`` says so of it.
        """
        profile = self.profile(name)
        table = self._table(name)
        own = table.base_url in (None, profile.base_url, SANDBOX_URL)
        said = self._config.providers.get(table.provider, {}).get("poll", {})
        return profile.poll.list_is_complete and (own or "list_is_complete" in said)

    def price_source(self, name: str, window: str = "") -> PriceSource:
        """The prices of an account's models for one completion window."""
        return price_source(self.profile(name), self._config.prices, window)

    def single_prices(self, name: str) -> PriceSource:
        """The prices of the same models when requests are sent one by one."""
        return self.price_source(direct_name(name))

    def limits(self, name: str | None) -> RequestLimits:
        """The limits of an account (by default the default account), as a check needs them."""
        return limits_of(self.profile(name or self.default))

    async def models(self, name: str | None = None) -> list[str]:
        """The models that the provider lists for an account; empty if it has no list.

        Raises:
            BatchdeckError: The provider cannot be reached.
        """
        return await (await self.dialect(name or self.default)).models()

    def estimates_cost(self, name: str) -> bool:
        """Whether the provider quotes the cost of a file before a batch is created."""
        return bool(self.profile(name).paths.estimate)

    def deletes_collected(self, name: str) -> bool:
        """Whether files at the provider are deleted after a batch was collected."""
        return self._table(name).clean_up

    async def key(self, name: str) -> FoundKey | None:
        """The account's key; the keyring is read in a thread."""
        if name in self._given_keys:
            return FoundKey(self._given_keys[name], "session", name)
        return await asyncio.to_thread(self.find_key, name)

    def find_key(self, name: str) -> FoundKey | None:
        """The account's key for its address. Blocking.

        Raises:
            KeyringUnavailableError: The keyring failed.
        """
        table = self._table(name)
        named = (table.key_env,) if table.key_env else ()
        return find_key(
            base_account(name),
            (*named, *self.profile(name).env),
            address=_base_url(self.profile(name), table),
            own=not self._sharing(name),
        )

    def credentials(self, name: str) -> dict[str, str]:
        """What this machine has of the cloud credentials that an account can use. Blocking."""
        from tui.providers.stores.sign_ins import found_credentials

        return (
            {}
            if self._table(name).base_url == SANDBOX_URL
            else found_credentials(self.profile(name))
        )

    def _sharing(self, name: str) -> list[str]:
        return sharing(base_account(name), self._config.accounts)

    def key_hint(self, name: str, *, keyring: bool = True) -> str:
        """A hint that says how to set the account's key; without ``keyring`` not in the keyring."""
        other = f"run `batchdeck keys set {base_account(name)}`"
        if not keyring:
            other = "enter the key for this session in the dashboard"
        hint = f"Set {' or '.join(self._variables(name))}, or {other}."
        shared = self._sharing(name)
        if shared:
            hint += (
                f" {account_variable(base_account(name))} is not read: it would be the key of"
                f" {' and '.join(shared)} too. Set key_env of each in config.toml."
            )
        return hint

    async def refused(self, name: str, error: KeyRejectedError) -> None:
        """Handle a rejected key: add a hint, and look the key up again at the next call."""
        error.hint = error.hint or self.key_hint(name)
        await self.forget(name)

    async def check_storage(self, account: str) -> str | None:
        """Check the bucket of an account; returns its place, ``None`` if there is none.

        Raises:
            BatchdeckError: A right on the bucket is missing, or it cannot be reached.
        """
        dialect = await self.dialect(account)
        return await dialect.check_storage() if isinstance(dialect, KeepsFiles) else None

    async def check_identity(self, account: str) -> tuple[str, ...]:
        """Check who is signed in; returns what was found, one sentence each.

        Raises:
            BatchdeckError: The sign-in has ended, or what it needs besides is not right.
        """
        dialect = await self.dialect(account)
        return await dialect.check_identity() if isinstance(dialect, ChecksIdentity) else ()

    async def dialect(self, name: str) -> Dialect:
        """The open connection of an account.

        Raises:
            KeyMissingError: The provider needs a key and none was found.
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            dialect = self._dialects.get(name)
            if dialect is None:
                dialect = self._dialects[name] = await self._open(name)
            return dialect

    async def forget(self, name: str) -> None:
        """Close an account, so that its key is looked up again."""
        owner = base_account(name)
        for known in (owner, direct_name(owner)):
            dialect = self._dialects.pop(known, None)
            if dialect is not None:
                await dialect.aclose()

    async def aclose(self) -> None:
        """Close all accounts and the sandbox."""
        for name in list(self._dialects):
            await self.forget(name)
        while self._sandboxes:
            _, sandbox = self._sandboxes.popitem()
            await asyncio.to_thread(sandbox.stop)

    async def _open(self, name: str) -> Dialect:
        profile = self.profile(name)
        table = self._table(name)
        if table.base_url == SANDBOX_URL or (profile.id == SANDBOX and table.base_url is None):
            return await asyncio.to_thread(self._connect_sandbox, profile, table)
        trouble = ""
        try:
            found = await self.key(name)
        except KeyMissingError as error:
            found, trouble = None, f", and {error.message}"
        if found is None and profile.needs_key:
            hint = self.key_hint(name, keyring=not trouble)
            raise KeyMissingError(f"account {name!r} has no key{trouble}", hint)
        key = None if found is None else found.value
        traffic = self.traffic.setdefault(name, RequestCounter(self._clock))
        return await asyncio.to_thread(self._connect, profile, table, key, traffic)

    def _connect(
        self, profile: Profile, table: AccountConfig, key: str | None, traffic: RequestCounter
    ) -> Dialect:
        # In a thread: importing the HTTP stack and reading certificates takes a while.
        from tui.providers.connect import connect

        return connect(
            profile,
            base_url=_base_url(profile, table),
            key=key,
            allow_http=table.allow_http,
            direct_settings=_lane(table),
            clock=self._clock,
            traffic=traffic,
            params=_params(profile, table),
        )

    def _connect_sandbox(self, profile: Profile, table: AccountConfig) -> Dialect:
        from tui.providers.connect import connect

        like = _LIKES.get(profile.dialect, "xai" if profile.id == "xai" else "openai")
        sandbox = self._start_sandbox(like)
        params: dict[str, str] = {}
        base_url = sandbox.base_url
        if like in _ON_A_PORT:
            base_url = base_url.removesuffix("/v1")
            params = _sandbox_params(table, base_url)
        return connect(
            _at_the_sandbox(profile),
            base_url=base_url,
            # Never send a real key to the sandbox.
            key=sandbox.key.rpartition(":")[2] or (SANDBOX if profile.needs_key else None),
            uds=sandbox.uds,
            direct_settings=_lane(table),
            clock=self._clock,
            params=params,
        )

    def _start_sandbox(self, like: str) -> LocalSandbox:
        from tui.sandbox.options import SandboxOptions
        from tui.sandbox.serve import LocalSandbox

        # Several accounts may point to the sandbox and be opened concurrently.
        with self._sandbox_lock:
            if like not in self._sandboxes:
                rate = sandbox_rate() if self._sandbox_rate is None else self._sandbox_rate
                home = self._paths.sandbox
                if like != "openai":
                    home /= like
                    home.mkdir(mode=0o700, parents=True, exist_ok=True)
                key = secrets.token_hex(16) if like in _ON_A_PORT else None
                if like == "bedrock":
                    key = f"{SANDBOX}:{key}"
                options = SandboxOptions(
                    home=home,
                    like=like,
                    rows_per_second=rate,
                    clock=self._clock,
                    key=key,
                    region=_SANDBOX_REGION,
                )
                self._sandboxes[like] = LocalSandbox.start(options, on_port=key is not None)
            return self._sandboxes[like]

    def route(self, name: str) -> Route:
        """The proxy and the certificates with which the server of an account is reached."""
        from tui.providers.wire.network import route_to_address

        return route_to_address(_base_url(self.profile(name), self._table(name)))

    def _variables(self, name: str) -> tuple[str, ...]:
        table = self._table(name)
        named = (table.key_env,) if table.key_env else ()
        own = () if self._sharing(name) else (account_variable(base_account(name)),)
        return (*own, *named, *self.profile(name).env)

    def _table(self, name: str) -> AccountConfig:
        owner = base_account(name)
        table = self._config.accounts.get(owner)
        if table is None and owner in self._profiles:
            table = AccountConfig(provider=owner)
        if table is not None and owner != name:
            table = msgspec.structs.replace(table, kind="direct")
        if table is None:
            raise UsageError(
                f"there is no account {name!r}",
                f"Accounts: {', '.join(self.names())}. The id of a provider works as well.",
            )
        return table


def direct_name(account: str) -> str:
    """The name of the account that sends this account's rows one by one."""
    return f"{base_account(account)}{_DIRECT}"


def base_account(account: str) -> str:
    """The name of the configured account, without the direct suffix."""
    return account.removesuffix(_DIRECT)


def _lane(table: AccountConfig) -> DirectSettings:
    return DirectSettings(
        concurrency=table.concurrency or DEFAULT_CONCURRENCY,
        per_minute=table.requests_per_minute or 0.0,
    )


def _base_url(profile: Profile, table: AccountConfig) -> str:
    """The account's base URL, with ``{placeholders}`` filled from its ``params``."""
    params = _params(profile, table)
    return fill_in(table.base_url, params) if table.base_url else base_url_of(profile, params)


def _params(profile: Profile, table: AccountConfig) -> dict[str, str]:
    """The account's own values, and those that only the environment has."""
    variables = profile.auth.params_env.items()
    found = {name: text for name, variable in variables if (text := os.environ.get(variable))}
    return {**found, **table.params}


def _sandbox_params(table: AccountConfig, url: str) -> dict[str, str]:
    """The values of an account whose services are all those of the sandbox at ``url``."""
    usual = dict.fromkeys(("account_id", "bucket", "project"), SANDBOX)
    own = {name: text for name, text in table.params.items() if not name.endswith("_url")}
    services = dict.fromkeys(("endpoint_url", "sts_url", "iam_url"), url)
    here = {"region": _SANDBOX_REGION, "role_arn": _SANDBOX_ROLE, "access_key": SANDBOX}
    return {**usual, **own, **services, **here}


def _at_the_sandbox(profile: Profile) -> Profile:
    """A profile whose buckets are the sandbox's: signed with the account's own pair, or none."""
    replace = msgspec.structs.replace
    if profile.dialect == "bedrock":
        auth = replace(profile.auth, ways=("aws",))
        store = replace(profile.store, access_key_env="AWS_ACCESS_KEY_ID")
        return replace(profile, auth=auth, store=store)
    if profile.dialect == "files" and profile.store.kind:
        # OpenAI's batches over a bucket: the sandbox takes the files itself.
        create = replace(profile.create, headers={})
        return replace(profile, store=Store(), create=create)
    return profile


def sandbox_rate() -> float:
    """The speed of the built-in sandbox in rows per second; 0 means no delay.

    Raises:
        ConfigError: The environment variable is not a valid number.
    """
    text = os.environ.get(SANDBOX_RATE_VARIABLE, "").strip()
    if not text:
        return _SANDBOX_RATE
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise ConfigError(
            f"{SANDBOX_RATE_VARIABLE}={text!r} is not a number of rows per second",
            "Set it to a number of 0 or more.",
        )
    return rate
