"""``accounts``: which services can be used, under which names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import Settings, shared
from tui.cli.output import pairs, print_json, print_lines, say, table
from tui.cli.session import run

if TYPE_CHECKING:
    from tui.engine.engine import Engine


@click.group(short_help="Providers, addresses and keys under a name.")
def accounts() -> None:
    """Accounts: a provider, its address and a key under a name."""


@accounts.command("list")
@shared
def list_accounts(settings: Settings) -> None:
    """List the accounts that can be used."""

    async def work(engine: Engine) -> None:
        documents = [_document(engine, name) for name in engine.account_names()]
        if settings.json:
            print_json(documents)
            return
        rows = [
            [
                document["name"] + (" (default)" if document["default"] else ""),
                document["provider_name"],
                document["base_url"] or "this machine",
                "yes" if document["needs_key"] else "no",
            ]
            for document in documents
        ]
        print_lines(table(("ACCOUNT", "PROVIDER", "ADDRESS", "NEEDS A KEY"), rows, elastic=2))

    run(settings, work)


def _document(engine: Engine, name: str) -> dict[str, Any]:
    account = engine.account(name)
    return {
        "name": account.name,
        "provider": account.provider,
        "provider_name": account.provider_name,
        "base_url": account.base_url,
        "needs_key": account.needs_key,
        "windows": list(account.windows),
        "default": name == engine.config.default_account,
    }


@accounts.command("add")
@click.argument("name")
@click.option("--provider", required=True, metavar="ID", help="The id of a provider's profile.")
@click.option("--base-url", metavar="URL", help="In place of the provider's own address.")
@click.option("--key-env", metavar="VARIABLE", help="Environment variable that holds the key.")
@click.option(
    "--allow-http", is_flag=True, help="Let the key travel over plain http to another machine."
)
@click.option("--default", is_flag=True, help="Use this account where none is named.")
@shared
def add(
    settings: Settings,
    name: str,
    provider: str,
    base_url: str | None,
    key_env: str | None,
    allow_http: bool,
    default: bool,
) -> None:
    """Add an account called NAME to the configuration."""
    from tui.config import AccountConfig, add_account, set_option
    from tui.paths import Paths
    from tui.providers.profile import find_profile

    profile = find_profile(provider)
    paths = Paths.find(settings.home)
    account = AccountConfig(
        provider=profile.id, base_url=base_url, key_env=key_env, allow_http=allow_http
    )
    add_account(paths, name, account)
    if default:
        set_option(paths, "default_account", name)

    async def work(engine: Engine) -> None:
        document = _document(engine, name)
        if settings.json:
            print_json(document)
        else:
            print_lines(pairs({"account": name, "provider": document["provider_name"]}))

    run(settings, work)


@accounts.command("remove")
@click.argument("name")
@shared
def remove(settings: Settings, name: str) -> None:
    """Take the account NAME out of the configuration; its jobs stay in the history."""
    from tui.config import load_config, remove_account, set_option
    from tui.paths import Paths

    paths = Paths.find(settings.home)
    remove_account(paths, name)
    if load_config(paths).default_account == name:
        set_option(paths, "default_account", "sandbox")
        say("The default account is now sandbox.")
    if settings.json:
        print_json({"removed": name})
    else:
        say(f"Removed {name}.")
