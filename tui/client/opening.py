"""An engine for a client: with the history, or with one that is thrown away at the end."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tui.config import AccountConfig, Config, load_config
from tui.engine.engine import Engine
from tui.paths import Paths


@dataclass(frozen=True)
class Place:
    """Where a client works.

    Attributes:
        account: An account of the configuration, or a provider's name; ``None``: the default.
        home: The folder of history and configuration; else ``$BATCHDECK_HOME`` or the
            platform's.
        config: Settings to use in place of ``config.toml``.
        api_key: The account's key; else it is looked for as everywhere.
        base_url: Another address of the provider. Jobs there stand in the history under an
            account of their own (see ``name``), so that nobody asks the usual address for
            them.
        keep: Leave the jobs in the history; else they are thrown away when it is closed.
    """

    account: str | None = None
    home: Path | None = None
    config: Config | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    keep: bool = True

    def name(self, config: Config) -> str:
        """The account that jobs are sent with, ``scaledown-127-0-0-1-8000`` for an address."""
        account = self.account or config.default_account
        table = config.accounts.get(account) or AccountConfig(provider=account)
        if self.base_url is None or self.base_url == table.base_url:
            return account
        host = re.sub(r"^https?://", "", self.base_url, flags=re.IGNORECASE)
        return f"{account}-{re.sub(r'[^A-Za-z0-9]+', '-', host).strip('-')}"

    def settings(self, paths: Paths) -> Config:
        """The configuration, with the account of another address where one is named."""
        config = load_config(paths) if self.config is None else self.config
        name = self.name(config)
        if name in config.accounts or self.base_url is None:
            return config
        account = self.account or config.default_account
        table = config.accounts.get(account) or AccountConfig(provider=account)
        changed = msgspec.structs.replace(table, base_url=self.base_url)
        accounts: Mapping[str, AccountConfig] = {**config.accounts, name: changed}
        return msgspec.structs.replace(config, accounts=dict(accounts))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Engine, str]]:
        """The engine and the account's name, for as long as the block lasts.

        Raises:
            HistoryError: The history cannot be used.
            ConfigError: The configuration cannot be used.
        """
        config = self.settings(Paths.find(self.home))
        if self.keep:
            async with _opened(self, Paths.find(self.home), config) as engine:
                yield engine, self.name(config)
            return
        with tempfile.TemporaryDirectory(prefix="batchdeck-") as folder:
            async with _opened(self, Paths.find(Path(folder)), config) as engine:
                yield engine, self.name(config)


@asynccontextmanager
async def _opened(place: Place, paths: Paths, config: Config) -> AsyncIterator[Engine]:
    engine = await Engine.open(paths, config)
    if place.api_key is not None:
        engine.accounts.give_key(place.name(config), place.api_key)
    try:
        yield engine
    finally:
        await engine.close()
