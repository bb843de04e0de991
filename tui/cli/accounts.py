"""``accounts``: which services can be used, under which names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from tui.cli.completion import complete_accounts
from tui.cli.options import parse_pairs, shared
from tui.cli.output import Cell, pairs, print_json, print_lines, say, table
from tui.cli.session import run
from tui.cli.settings import Settings
from tui.cli.words import plural
from tui.errors import (
    BatchdeckError,
    GarbledAnswerError,
    KeyRefusedError,
    RequestRefusedError,
    UnreachableError,
)

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
        print_lines(
            table(
                ("ACCOUNT", "PROVIDER", "ADDRESS", "KEY"), list(map(_cells, documents)), elastic=2
            )
        )

    run(settings, work)


def _cells(document: dict[str, Any]) -> list[Cell | str]:
    key = document["key"]
    if not key["needed"]:
        told = "none needed"
    elif key["in_environment"]:
        told = f"in {key['in_environment']}"
    else:
        told = f"from the keyring; or set {' or '.join(key['variables'])}"
    mark = " (default)" if document["default"] else ""
    provider = document["provider_name"] + (", one by one" if document["direct"] else "")
    return [document["name"] + mark, provider, document["base_url"], told]


def _document(engine: Engine, name: str) -> dict[str, Any]:
    account = engine.account(name)
    present = [variable for variable in account.variables if os.environ.get(variable, "").strip()]
    return {
        "name": account.name,
        "provider": account.provider,
        "provider_name": account.provider_name,
        "direct": account.direct,
        "base_url": account.base_url,
        "default": name == engine.accounts.default,
        "clean_up": engine.accounts.cleans_up(name),
        "windows": list(account.windows),
        "endpoints": list(account.endpoints),
        "key": {
            "needed": account.needs_key,
            "variables": list(account.variables),
            "in_environment": present[0] if present else None,
        },
    }


@accounts.command("add")
@click.argument("name")
@click.option("--provider", required=True, metavar="ID", help="The id of a provider's profile.")
@click.option(
    "--direct", is_flag=True, help="Send rows one by one to the provider's synchronous endpoint."
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Rows under way at a time, when they are sent one by one; 4 if not given.",
)
@click.option(
    "--per-minute",
    type=click.FloatRange(min=0),
    metavar="N",
    help="Rows a minute at the most, when they are sent one by one.",
)
@click.option("--base-url", metavar="URL", help="In place of the provider's own address.")
@click.option("--key-env", metavar="VARIABLE", help="Environment variable that holds the key.")
@click.option(
    "--allow-http", is_flag=True, help="Let the key travel over plain http to another machine."
)
@click.option(
    "--param",
    "params",
    multiple=True,
    callback=parse_pairs,
    metavar="KEY=VALUE",
    help="A value for a placeholder in the provider's address.",
)
@click.option(
    "--clean-up", is_flag=True, help="Delete the files at the provider once all is collected."
)
@click.option("--default", is_flag=True, help="Use this account where none is named.")
@shared
def add(
    settings: Settings,
    name: str,
    provider: str,
    direct: bool,
    concurrency: int | None,
    per_minute: float | None,
    base_url: str | None,
    key_env: str | None,
    allow_http: bool,
    params: tuple[tuple[str, str], ...],
    clean_up: bool,
    default: bool,
) -> None:
    """Add an account called NAME to the configuration.

    Example, for a model on this machine: batchdeck accounts add local --provider direct
    --base-url http://127.0.0.1:11434/v1
    """
    from tui.config import AccountConfig, add_account, load_config, set_option
    from tui.paths import Paths
    from tui.providers.profile import find_profile

    paths = Paths.find(settings.home)
    profile = find_profile(provider, load_config(paths).providers)
    account = AccountConfig(
        provider=profile.id,
        kind="direct" if direct else "batch",
        base_url=base_url,
        concurrency=concurrency,
        requests_per_minute=per_minute,
        key_env=key_env,
        allow_http=allow_http,
        clean_up=clean_up,
        params=dict(params),
    )
    add_account(paths, name, account)
    if default:
        set_option(paths, "default_account", name)

    async def work(engine: Engine) -> None:
        document = _document(engine, name)
        if settings.json:
            print_json(document)
        else:
            labels = ("account", "provider", "address", "key")
            print_lines(pairs(dict(zip(labels, _cells(document), strict=True))))

    run(settings, work)


@accounts.command("remove")
@click.argument("name", shell_complete=complete_accounts)
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


@accounts.command("test")
@click.argument("name", shell_complete=complete_accounts)
@shared
def test(settings: Settings, name: str) -> None:
    """Ask the account NAME for something that costs nothing: is it there, is the key good?

    When it is not, the answer says whether the key, the address or the network is to blame.
    """

    async def work(engine: Engine) -> None:
        dialect = await engine.accounts.dialect(name)
        try:
            models = await dialect.models()
            asked = bool(models)
            if not models and dialect.capabilities.lists:
                await anext(aiter(dialect.list_batches()), None)
                asked = True
        except BatchdeckError as error:
            await _blame(engine, name, error)
            raise
        if settings.json:
            print_json({"account": name, "asked": asked, "models": models})
        elif models:
            print_lines([f"{name} answers; it lists {plural(len(models), 'model')}."])
        elif asked:
            print_lines([f"{name} answers."])
        else:
            print_lines([f"{name} has nothing that could be asked without cost."])

    run(settings, work)


async def _blame(engine: Engine, name: str, error: BatchdeckError) -> None:
    """Say in front of an error what is wrong with the account, and how to mend it."""
    address = engine.account(name).base_url
    if isinstance(error, KeyRefusedError):
        await engine.accounts.refused(name, error)
        error.message = f"the key is wrong: {error.message}"
    elif isinstance(error, UnreachableError):
        error.message = f"no way to {address}: {error.message}"
        error.hint = error.hint or "Check the address and the network."
    elif isinstance(error, RequestRefusedError | GarbledAnswerError):
        error.message = f"{address} is not the address of this provider: {error.message}"
        error.hint = "Check the account's base_url in config.toml."
