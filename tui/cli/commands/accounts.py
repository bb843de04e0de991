"""``accounts``, ``keys`` and ``providers``: where requests can be sent, and with which key."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from tui import errors
from tui.cli import output
from tui.cli.options import Settings, complete_accounts, parse_pairs, shared, yes_option
from tui.cli.session import confirm, run
from tui.core.formatting import size

if TYPE_CHECKING:
    from tui.core.send_plans import Limits
    from tui.engine.engine import Engine
    from tui.providers.profiles.load import Profile


@click.group(short_help="List, add, remove and test accounts.")
def accounts() -> None:
    """Manage accounts. An account is a provider, its base URL and a key under a name."""


@accounts.command("list")
@shared
def list_accounts(settings: Settings) -> None:
    """List all accounts."""

    async def work(engine: Engine) -> None:
        documents = [_document(engine, name) for name in engine.account_names()]
        titles = ("ACCOUNT", "PROVIDER", "ADDRESS", "KEY")
        rows = list(map(_cells, documents))
        output.print_result(
            settings, lambda: documents, lambda: output.table(titles, rows, elastic=2)
        )

    run(settings, work)


def _cells(document: dict[str, Any]) -> list[output.Cell | str]:
    key = document["key"]
    if not key["needed"]:
        key_text = "not needed"
    elif key["in_environment"]:
        key_text = f"in {key['in_environment']}"
    else:
        key_text = f"in the keyring, or set {' or '.join(key['variables'])}"
    mark = " (default)" if document["default"] else ""
    provider = document["provider_name"] + (", one by one" if document["direct"] else "")
    return [document["name"] + mark, provider, document["base_url"], key_text]


def _document(engine: Engine, name: str) -> dict[str, Any]:
    account = engine.account(name)
    present = [variable for variable in account.variables if os.environ.get(variable, "").strip()]
    return {
        "name": account.name,
        "provider": account.provider,
        "provider_name": account.provider_name,
        "direct": account.direct,
        "base_url": account.shown_url,
        "default": name == engine.accounts.default,
        "clean_up": engine.accounts.deletes_collected(name),
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
@click.option(
    "--provider", required=True, metavar="ID", help="Id of the provider; see `batchdeck providers`."
)
@click.option(
    "--direct", is_flag=True, help="Send rows one by one to the provider's synchronous endpoint."
)
@click.option("--concurrency", type=click.IntRange(1, 256), metavar="N",
              help="Concurrent requests in direct mode; default: 4.")  # fmt: skip
@click.option("--per-minute", type=click.FloatRange(min=0), metavar="N",
              help="Maximum requests per minute in direct mode.")  # fmt: skip
@click.option("--base-url", metavar="URL", help="Base URL, instead of the one of the provider.")
@click.option("--key-env", metavar="VARIABLE", help="Environment variable that holds the key.")
@click.option("--allow-http", is_flag=True,
              help="Allow sending the key to another machine over unencrypted http.")  # fmt: skip
@click.option("--param", "params", multiple=True, callback=parse_pairs, metavar="KEY=VALUE",
              help="A value that the provider needs, such as bucket or region.")  # fmt: skip
@click.option("--clean-up", is_flag=True,
              help="Delete files at the provider after all results are downloaded.")  # fmt: skip
@click.option("--default", is_flag=True, help="Make this the default account.")
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
    """Add the account NAME to config.toml.

    Example for a model on this machine: batchdeck accounts add local --provider direct
    --base-url http://127.0.0.1:11434/v1
    """
    from tui.config.settings import AccountConfig, set_option
    from tui.engine.account_setup import missing_params, store_account
    from tui.providers.profiles.load import find_profile

    account = AccountConfig(
        provider=provider,
        kind="direct" if direct else "batch",
        base_url=base_url,
        concurrency=concurrency,
        requests_per_minute=per_minute,
        key_env=key_env,
        allow_http=allow_http,
        clean_up=clean_up,
        params=dict(params),
    )
    if output.is_terminal(sys.stdin):
        profile = find_profile(provider, settings.load_config().providers)
        for each in missing_params(profile, account):
            account.params[each] = click.prompt(each, err=True).strip()
    store_account(settings.paths, name, account)
    if default:
        set_option(settings.paths, "default_account", name)

    async def work(engine: Engine) -> None:
        document = _document(engine, name)
        labels = ("account", "provider", "address", "key")
        facts = dict(zip(labels, _cells(document), strict=True))
        output.print_result(settings, lambda: document, lambda: output.pairs(facts))

    run(settings, work)


@accounts.command("remove")
@click.argument("name", shell_complete=complete_accounts)
@shared
def remove(settings: Settings, name: str) -> None:
    """Remove the account NAME from config.toml; its jobs stay in the history."""
    from tui.config.api_keys import KeyringUnavailableError
    from tui.config.api_keys import remove_key as remove_stored_key
    from tui.config.settings import remove_account, set_option
    from tui.engine.accounts import Accounts

    config = settings.load_config()
    try:
        address = Accounts(settings.paths, config).info(name).base_url
    except errors.UsageError:
        # Its provider is no longer known; only a key without an address can be found.
        address = ""
    remove_account(settings.paths, name)
    try:
        if remove_stored_key(name, address):
            output.say(f"Its key was removed from the keyring: {name}.")
    except KeyringUnavailableError as error:
        output.say(f"A key in the keyring was not removed: {error.message}.")
    if settings.load_config().default_account == name:
        set_option(settings.paths, "default_account", "sandbox")
        output.say("The default account is now sandbox.")
    output.print_done(settings, {"removed": name}, f"Removed {name}.")


@accounts.command("test")
@click.argument("name", shell_complete=complete_accounts)
@shared
def test(settings: Settings, name: str) -> None:
    """Test the account NAME with a free request.

    The error says whether the key, the address or the network is wrong.
    """
    from tui.engine.account_setup import check_account, route_lines

    async def work(engine: Engine) -> None:
        tested = await check_account(engine.accounts, name)
        route = engine.accounts.route(name)
        document = {
            "account": name,
            "asked": tested.was_asked,
            "models": tested.models,
            "proxy": route.shown_proxy or None,
            "certificates": route.certificates or None,
            "storage": tested.storage,
            "facts": list(tested.facts),
        }
        lines = [f"{name} {tested.words}.", *tested.facts, *route_lines(route)]
        if tested.storage:
            lines.append(f"Files can be written, read, listed and deleted in {tested.storage}.")
        output.print_result(settings, lambda: document, lambda: lines)

    run(settings, work)


account_argument = click.argument("account", shell_complete=complete_accounts)


@click.group(short_help="Manage API keys in the keyring.")
def keys() -> None:
    """Manage API keys of accounts in the system keyring; the environment takes precedence."""


@keys.command("set")
@account_argument
@shared
def set_key(settings: Settings, account: str) -> None:
    """Store the API key of an ACCOUNT in the keyring; prompts for it, or reads it from stdin."""
    from tui.config.api_keys import store_key
    from tui.engine.accounts import Accounts

    accounts = Accounts(settings.paths, settings.load_config())
    info = accounts.info(account)
    # Outside the event loop, so that Ctrl-C ends the prompt immediately.
    value = _prompt_for_key(account) if output.is_terminal(sys.stdin) else _read_key()
    if not value:
        raise errors.UsageError("no key given", "Type it, or pipe it to stdin.")
    store_key(account, value, info.base_url)
    found = accounts.find_key(account)
    if found is None:
        hint = accounts.key_hint(account, keyring=False)
        raise errors.KeyMissingError("the keyring did not store the key", hint)
    if found.origin == "environment":
        output.say(f"{found.name} is set and takes precedence over the keyring.")
    document = {"account": account, "stored": True}
    output.print_done(settings, document, f"Stored the key for {account} in the keyring.")


def _read_key() -> str:
    return "" if sys.stdin is None else sys.stdin.readline().strip()


def _prompt_for_key(account: str) -> str:
    import getpass

    try:
        return getpass.getpass(f"API key for {account}: ", sys.stderr).strip()
    except EOFError:
        return ""


@keys.command()
@click.argument("account", required=False, shell_complete=complete_accounts)
@shared
def status(settings: Settings, account: str | None) -> None:
    """Show where the key of each account, or of one ACCOUNT, comes from.

    The exit code is 4 if the given ACCOUNT needs a key and has none.
    """

    async def work(engine: Engine) -> None:
        names = [account] if account is not None else engine.account_names()
        documents = [await _key_document(engine, name) for name in names]
        titles = ("ACCOUNT", "KEY", "PROBLEM")
        output.print_result(
            settings,
            lambda: documents if account is None else documents[0],
            lambda: output.table(titles, list(map(_key_cells, documents)), elastic=2),
        )
        if account is not None and documents[0]["needed"] and documents[0]["origin"] is None:
            raise errors.KeyMissingError(
                f"account {account!r} has no key",
                f"Set {' or '.join(documents[0]['variables'])}, or run `batchdeck keys set"
                f" {account}`.",
            )

    run(settings, work)


async def _key_document(engine: Engine, name: str) -> dict[str, Any]:
    info = engine.account(name)
    problem = None
    found = None
    try:
        found = await engine.accounts.key(name)
    except errors.KeyMissingError as error:
        problem = error.message if info.needs_key else None
    return {
        "account": name,
        "needed": info.needs_key,
        "origin": None if found is None else found.origin,
        "variable": found.name if found is not None and found.origin == "environment" else None,
        "variables": list(info.variables),
        "trouble": problem,
    }


def _key_cells(document: dict[str, Any]) -> list[output.Cell | str]:
    if document["origin"] is not None:
        where = document["variable"] or f"the {document['origin']}"
        key = output.Cell(f"in {where}", "green")
    elif document["needed"]:
        key = output.Cell("missing", "red")
    else:
        key = output.Cell("not needed", "dim")
    return [document["account"], key, document["trouble"] or ""]


@keys.command("remove")
@account_argument
@yes_option
@shared
def remove_key(settings: Settings, account: str) -> None:
    """Remove the key of an ACCOUNT from the keyring."""

    async def work(engine: Engine) -> None:
        import asyncio

        from tui.config.api_keys import remove_key

        address = engine.account(account).base_url
        await confirm(settings, f"Remove the key for {account} from the keyring?")
        if not await asyncio.to_thread(remove_key, account, address):
            raise errors.UsageError(f"the keyring has no key for {account}")
        document = {"account": account, "removed": True}
        output.print_done(settings, document, f"Removed the key for {account} from the keyring.")

    run(settings, work)


@click.command(short_help="List the known providers and their limits.")
@click.argument("name", required=False)
@shared
def providers(settings: Settings, name: str | None) -> None:
    """List the known providers, or show the details of the provider NAME."""
    from tui.providers.profiles.load import find_profile, load_profiles

    custom = settings.load_config().providers
    if name is not None:
        profile = find_profile(name, custom)
        output.print_result(settings, lambda: _profile_document(profile), lambda: _lines(profile))
        return
    profiles = list(load_profiles(custom).values())
    rows: list[list[output.Cell | str]] = [
        [profile.id, profile.name, profile.base_url, ", ".join(profile.env)] for profile in profiles
    ]
    output.print_result(
        settings,
        lambda: list(map(_profile_document, profiles)),
        lambda: output.table(("ID", "NAME", "ADDRESS", "KEY VARIABLE"), rows, elastic=2),
    )


def _profile_document(profile: Profile) -> dict[str, Any]:
    limits = profile.limits
    return {
        "id": profile.id,
        "name": profile.name,
        "dialect": profile.dialect,
        "base_url": profile.base_url,
        "docs": profile.docs,
        "needs_key": profile.needs_key,
        "key_variables": list(profile.env),
        "endpoints": list(profile.endpoints),
        "windows": list(profile.windows),
        "limits": {
            "rows": limits.rows or None,
            "min_rows": limits.min_rows or None,
            "bytes": limits.bytes or None,
            "line_bytes": limits.line_bytes or None,
            "custom_id_max": limits.custom_id_max or None,
            "one_model": limits.one_model,
            "expires_hours": limits.expires_hours or None,
            "queue_hours": limits.queue_hours or None,
            "run_hours": limits.run_hours or None,
        },
        "poll_seconds": [profile.poll.min_seconds, profile.poll.max_seconds],
        "retention_days": profile.retention_days,
        "notes": list(profile.notes),
        "sources": [
            {
                "facts": list(source.facts),
                "certainty": source.certainty,
                "where": source.where,
                "note": source.note,
            }
            for source in profile.sources
        ],
    }


def _lines(profile: Profile) -> list[str]:
    limits = profile.limits
    facts: dict[str, output.Cell | str] = {
        "provider": output.Cell(profile.id, "bold"),
        "name": profile.name,
        "address": profile.base_url,
        "key": ", ".join(profile.env) + ("" if profile.needs_key else " (optional)"),
        "endpoints": ", ".join(profile.endpoints),
        "windows": ", ".join(profile.windows),
        "rows": _rows_text(limits),
        "size": f"up to {size(limits.bytes)} per batch" if limits.bytes else "",
        "models": "one per batch" if limits.one_model else "",
        "time": _time_text(limits),
        "results": f"kept for {profile.retention_days} days" if profile.retention_days else "",
        "docs": profile.docs,
    }
    return [
        *output.pairs(facts),
        *(f"- {note}" for note in profile.notes),
        *_source_lines(profile),
    ]


def _time_text(limits: Limits) -> str:
    texts = {
        f"ends without results after {limits.expires_hours} hours": limits.expires_hours,
        f"expires after {limits.queue_hours} hours in the queue": limits.queue_hours,
        f"ends after {limits.run_hours} hours of running, with the rows that are done": (
            limits.run_hours
        ),
    }
    return "; ".join(text for text, hours in texts.items() if hours)


def _rows_text(limits: Limits) -> str:
    bounds = [f"at least {limits.min_rows:,}"] if limits.min_rows else []
    bounds += [f"up to {limits.rows:,}"] if limits.rows else []
    return f"{', '.join(bounds)} per batch" if bounds else ""


def _source_lines(profile: Profile) -> list[str]:
    """Where the facts come from, and how sure they are."""
    if not profile.sources:
        return []
    rows: list[list[output.Cell | str]] = [
        [
            ", ".join(source.facts),
            output.Cell(source.certainty, "bold" if source.certainty == "tried" else "dim"),
            f"{source.where}. {source.note}" if source.note else source.where,
        ]
        for source in profile.sources
    ]
    return ["", *output.table(("FACTS", "CERTAINTY", "WHERE FROM"), rows, elastic=2)]
