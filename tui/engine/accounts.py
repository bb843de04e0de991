"""Accounts: a provider, an address and a key under a name, ready to be spoken to."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tui.compose.prices import PriceSource
from tui.config import AccountConfig, Config
from tui.engine.pricing import price_source
from tui.errors import ConfigError, KeyMissingError, KeyRefusedError, UsageError
from tui.keys import FoundKey, account_variable, find_key
from tui.paths import Paths
from tui.providers.base import Dialect
from tui.providers.lane import CONCURRENCY, Lane, direct_profile
from tui.providers.profile import Profile, load_profiles
from tui.providers.traffic import Traffic

if TYPE_CHECKING:
    from tui.sandbox.local import LocalSandbox

SANDBOX = "sandbox"
"""The account that needs no key and no configuration."""

HERE = "sandbox:"
"""An address that leads any account of the OpenAI dialect to the sandbox: to rehearse with it."""

SANDBOX_RATE_VARIABLE = "BATCHDECK_SANDBOX_ROWS_PER_SECOND"
_SANDBOX_RATE = 2000.0

_DIRECT = "+direct"
"""Behind the name of an account: its rows are sent one by one, whatever its kind."""


@dataclass(frozen=True)
class AccountInfo:
    """What a person may know of an account; the key is not in it.

    ``retention_days`` is how long the provider keeps results.
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


class Accounts:
    """Finds accounts by name and opens them once.

    Args:
        paths: Where the sandbox keeps its state.
        config: The accounts that the person set up.
        clock: Unix seconds; the sandbox runs by it too.
        sandbox_rate: Rows a second of the sandbox in place of what the environment says.

    Attributes:
        traffic: The requests that went to each account on the network since the start.
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
        self._paces: dict[str, float] = {}
        self._dialects: dict[str, Dialect] = {}
        self.traffic: dict[str, Traffic] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._sandbox: LocalSandbox | None = None
        self._sandbox_lock = threading.Lock()

    def take_config(self, config: Config) -> None:
        """Go by other settings; the providers stay those that were loaded."""
        self._config = config

    @property
    def default(self) -> str:
        """The account that is meant when none is named."""
        return self._config.default_account

    def names(self) -> list[str]:
        """The default account first, then the configured ones, the sandbox last."""
        names = [self.default, *self._config.accounts, SANDBOX]
        return list(dict.fromkeys(names))

    def profiles(self) -> dict[str, Profile]:
        """Every provider that is known, by id."""
        return dict(self._profiles)

    def profile(self, name: str) -> Profile:
        """The profile of an account.

        Raises:
            UsageError: There is neither an account nor a provider of that name.
            ConfigError: The account names a provider that does not exist.
        """
        table = self._table(name)
        profile = self._profiles.get(table.provider)
        if profile is None:
            raise ConfigError(
                f"account {name!r} names the unknown provider {table.provider!r}",
                "`batchdeck providers` lists the known ones.",
            )
        if table.kind == "direct":
            profile = direct_profile(profile)
        seconds = self._paces.get(name)
        if seconds is None:
            return profile
        poll = msgspec.structs.replace(profile.poll, min_seconds=seconds, max_seconds=seconds)
        return msgspec.structs.replace(profile, poll=poll)

    def pace(self, name: str, seconds: float) -> None:
        """Have the batches of an account asked for this often, whatever the provider advises."""
        self._paces[name] = seconds

    def give_key(self, name: str, key: str) -> None:
        """Use this key for an account, here and nowhere else, before any that could be found."""
        self._given_keys[name] = key.strip()

    def info(self, name: str) -> AccountInfo:
        """What a person may know of an account."""
        table = self._table(name)
        profile = self.profile(name)
        return AccountInfo(
            name=name,
            provider=profile.id,
            provider_name=profile.name,
            base_url=_address(profile, table),
            needs_key=profile.needs_key and table.base_url != HERE,
            variables=self._variables(name),
            windows=tuple(profile.windows),
            endpoints=tuple(profile.endpoints),
            retention_days=profile.retention_days,
            direct=profile.direct,
            asks=profile.can.ask,
        )

    def price_source(self, name: str, window: str = "") -> PriceSource:
        """Where the prices of an account's models come from, for one completion window."""
        return price_source(self.profile(name), self._config.prices, window)

    def tells_cost(self, name: str) -> bool:
        """Does the provider say what a file will cost, before a batch is made of it?"""
        return bool(self.profile(name).paths.estimate)

    def cleans_up(self, name: str) -> bool:
        """Are files at the provider to be deleted once everything was collected?"""
        return self._table(name).clean_up

    async def key(self, name: str) -> FoundKey | None:
        """The account's key; the keyring is asked in a thread."""
        if name in self._given_keys:
            return FoundKey(self._given_keys[name], "session", name)
        return await asyncio.to_thread(find_key, owner_of(name), self._variables(name)[1:])

    def key_hint(self, name: str) -> str:
        """Where to put the account's key."""
        return f"Set {' or '.join(self._variables(name))}, or run `batchdeck keys set {name}`."

    async def refused(self, name: str, error: KeyRefusedError) -> None:
        """A key was refused: say where it belongs, and look it up anew at the next call."""
        error.hint = error.hint or self.key_hint(name)
        await self.forget(name)

    async def dialect(self, name: str) -> Dialect:
        """The account, open for calls.

        Raises:
            KeyMissingError: The provider needs a key and none is known.
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            dialect = self._dialects.get(name)
            if dialect is None:
                dialect = self._dialects[name] = await self._open(name)
            return dialect

    async def forget(self, name: str) -> None:
        """Close an account, so that its key is looked up anew."""
        owner = owner_of(name)
        for known in (owner, direct_name(owner)):
            dialect = self._dialects.pop(known, None)
            if dialect is not None:
                await dialect.aclose()

    async def aclose(self) -> None:
        """Close all accounts and the sandbox."""
        for name in list(self._dialects):
            await self.forget(name)
        if self._sandbox is not None:
            await asyncio.to_thread(self._sandbox.stop)
            self._sandbox = None

    async def _open(self, name: str) -> Dialect:
        profile = self.profile(name)
        table = self._table(name)
        if table.base_url == HERE or (profile.id == SANDBOX and table.base_url is None):
            return await asyncio.to_thread(self._connect_sandbox, profile, table)
        trouble = ""
        try:
            found = await self.key(name)
        except KeyMissingError as error:
            found, trouble = None, f", and {error.message}"
        if found is None and profile.needs_key:
            raise KeyMissingError(f"account {name!r} has no key{trouble}", self.key_hint(name))
        key = None if found is None else found.value
        traffic = self.traffic.setdefault(name, Traffic(self._clock))
        return await asyncio.to_thread(self._connect, profile, table, key, traffic)

    def _connect(
        self, profile: Profile, table: AccountConfig, key: str | None, traffic: Traffic
    ) -> Dialect:
        # Importing the HTTP stack and reading certificates would hold up the event loop.
        from tui.providers.connect import connect

        return connect(
            profile,
            base_url=_address(profile, table),
            key=key,
            allow_http=table.allow_http,
            lane=_lane(table),
            clock=self._clock,
            traffic=traffic,
        )

    def _connect_sandbox(self, profile: Profile, table: AccountConfig) -> Dialect:
        from tui.providers.connect import connect

        sandbox = self._start_sandbox()
        return connect(
            profile,
            base_url=sandbox.base_url,
            # No key of the person's goes there.
            key="sandbox" if profile.needs_key else None,
            uds=sandbox.uds,
            lane=_lane(table),
            clock=self._clock,
        )

    def _start_sandbox(self) -> LocalSandbox:
        from tui.sandbox.local import LocalSandbox
        from tui.sandbox.options import SandboxOptions

        # Several accounts may lead to it and be opened at once.
        with self._sandbox_lock:
            if self._sandbox is None:
                rate = sandbox_rate() if self._sandbox_rate is None else self._sandbox_rate
                home = self._paths.sandbox
                self._sandbox = LocalSandbox.start(
                    SandboxOptions(home=home, rows_per_second=rate, clock=self._clock)
                )
            return self._sandbox

    def _variables(self, name: str) -> tuple[str, ...]:
        table = self._table(name)
        named = (table.key_env,) if table.key_env else ()
        return (account_variable(owner_of(name)), *named, *self.profile(name).env)

    def _table(self, name: str) -> AccountConfig:
        owner = owner_of(name)
        table = self._config.accounts.get(owner)
        if table is None and owner in self._profiles:
            table = AccountConfig(provider=owner)
        if table is not None and owner != name:
            table = msgspec.structs.replace(table, kind="direct")
        if table is None:
            raise UsageError(
                f"there is no account {name!r}",
                f"Known: {', '.join(self.names())}, and every provider by its own name.",
            )
        return table


def direct_name(account: str) -> str:
    """The same account, with its rows sent one by one."""
    return f"{owner_of(account)}{_DIRECT}"


def owner_of(account: str) -> str:
    """The account that a name stands for, and whose key is used."""
    return account.removesuffix(_DIRECT)


def _lane(table: AccountConfig) -> Lane:
    return Lane(
        concurrency=table.concurrency or CONCURRENCY,
        per_minute=table.requests_per_minute or 0.0,
    )


def _address(profile: Profile, table: AccountConfig) -> str:
    """The account's address, its ``{placeholders}`` filled from the account's ``params``."""
    address = table.base_url or profile.base_url
    for name, value in table.params.items():
        address = address.replace(f"{{{name}}}", value)
    return address


def sandbox_rate() -> float:
    """Rows a second of the sandbox inside the program, 0 for at once.

    Raises:
        ConfigError: The environment variable is not a number.
    """
    text = os.environ.get(SANDBOX_RATE_VARIABLE, "").strip()
    if not text:
        return _SANDBOX_RATE
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise ConfigError(f"{SANDBOX_RATE_VARIABLE}={text!r} is not a number of rows a second")
    return rate
