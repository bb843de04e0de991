"""``keys``: which accounts have a key and where it comes from; the key itself is never shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from tui.cli.completion import complete_accounts
from tui.cli.options import shared, yes_option
from tui.cli.output import Cell, is_terminal, print_json, print_lines, say, table
from tui.cli.session import ask, run
from tui.cli.settings import Settings
from tui.errors import KeyMissingError, UsageError

if TYPE_CHECKING:
    from tui.engine.engine import Engine

account_argument = click.argument("account", shell_complete=complete_accounts)


@click.group(short_help="The keys of accounts, in the keyring.")
def keys() -> None:
    """Keys of accounts: in the environment, or in the keyring of this machine."""


@keys.command("set")
@account_argument
@shared
def set_key(settings: Settings, account: str) -> None:
    """Put the key of an ACCOUNT into the keyring; it is typed unseen, or read from stdin."""
    from tui.keys import find_key, store_key

    async def look_up(engine: Engine) -> tuple[str, ...]:
        return engine.account(account).variables

    variables = run(settings, look_up)
    # Outside of the event loop, where Ctrl-C ends the typing at once.
    value = _typed_key(account) if is_terminal(sys.stdin) else _read_key()
    if not value:
        raise UsageError("no key was given", "Type it, or write it to stdin.")
    store_key(account, value)
    found = find_key(account, variables[1:])
    if found is None:
        raise KeyMissingError("the keyring did not keep the key", f"Set {variables[0]} instead.")
    if found.origin == "environment":
        say(f"The key in {found.name} is used before the one in the keyring.")
    if settings.json:
        print_json({"account": account, "stored": True})
    else:
        say(f"The key of {account} is in the keyring.")


def _read_key() -> str:
    return "" if sys.stdin is None else sys.stdin.readline().strip()


def _typed_key(account: str) -> str:
    import getpass

    try:
        return getpass.getpass(f"Key of {account}: ", sys.stderr).strip()
    except EOFError:
        return ""


@keys.command()
@click.argument("account", required=False, shell_complete=complete_accounts)
@shared
def status(settings: Settings, account: str | None) -> None:
    """Tell where the key of each account comes from, or that of one ACCOUNT.

    With an ACCOUNT that needs a key and has none, the exit code is 4.
    """

    async def work(engine: Engine) -> None:
        names = [account] if account is not None else engine.account_names()
        documents = [await _document(engine, name) for name in names]
        if settings.json:
            print_json(documents if account is None else documents[0])
        else:
            rows = list(map(_cells, documents))
            print_lines(table(("ACCOUNT", "KEY", "TROUBLE"), rows, elastic=2))
        if account is not None and documents[0]["needed"] and documents[0]["origin"] is None:
            raise KeyMissingError(
                f"account {account!r} has no key",
                f"Set {' or '.join(documents[0]['variables'])}, or run `batchdeck keys set"
                f" {account}`.",
            )

    run(settings, work)


async def _document(engine: Engine, name: str) -> dict[str, Any]:
    info = engine.account(name)
    trouble = None
    found = None
    try:
        found = await engine.accounts.key(name)
    except KeyMissingError as error:
        trouble = error.message if info.needs_key else None
    return {
        "account": name,
        "needed": info.needs_key,
        "origin": None if found is None else found.origin,
        "variable": found.name if found is not None and found.origin == "environment" else None,
        "variables": list(info.variables),
        "trouble": trouble,
    }


def _cells(document: dict[str, Any]) -> list[Cell | str]:
    if document["origin"] is not None:
        where = document["variable"] or f"the {document['origin']}"
        key = Cell(f"in {where}", "green")
    elif document["needed"]:
        key = Cell("missing", "red")
    else:
        key = Cell("none needed", "dim")
    return [document["account"], key, document["trouble"] or ""]


@keys.command()
@account_argument
@yes_option
@shared
def remove(settings: Settings, account: str) -> None:
    """Take the key of an ACCOUNT out of the keyring."""

    async def work(engine: Engine) -> None:
        import asyncio

        from tui.keys import remove_key

        engine.account(account)
        await ask(settings, f"Remove the key of {account} from the keyring?")
        if not await asyncio.to_thread(remove_key, account):
            raise UsageError(f"the keyring has no key of {account}")
        if settings.json:
            print_json({"account": account, "removed": True})
        else:
            say(f"The key of {account} is out of the keyring.")

    run(settings, work)
