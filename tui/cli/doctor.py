"""``doctor``: is everything in order? A report without keys, names or contents of anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.failures import GOOD
from tui.cli.options import shared
from tui.cli.output import pairs, print_json, print_lines
from tui.cli.settings import Settings
from tui.cli.words import plural
from tui.errors import BatchdeckError, ConfigError, HistoryError

if TYPE_CHECKING:
    from tui.config import Config
    from tui.paths import Paths

_PARTS = ("textual", "httpx", "msgspec", "keyring", "starlette", "uvicorn")


@click.command(short_help="Look for damage, and report what may be posted.")
@shared
def doctor(settings: Settings) -> int:
    """Look for damage in the history, its files and the settings; nothing is changed.

    The report can be posted: it holds no key, no address, no name of a job and no content.
    Exit code 2 when something is wrong.
    """
    from tui.paths import Paths
    from tui.store.checkup import look_over, loose_modes

    paths = Paths.find(settings.home)
    problems: list[str] = []
    config = _config(paths, problems)
    checkup = look_over(paths)
    problems += checkup.problems
    problems += [
        f"{_posted(place)} can be read by others (mode {mode:04o})"
        for place, mode in loose_modes(paths)
    ]
    document: dict[str, Any] = {
        "versions": _versions(),
        "paths": {
            "config": _posted(paths.config_file),
            "history": _posted(paths.history_db),
            "jobs": _posted(paths.jobs),
            "log": _posted(paths.log_file),
        },
        "history": {
            "schema": checkup.schema,
            "integrity": checkup.integrity or None,
            "jobs": checkup.jobs,
            "batches": checkup.batches,
        },
        "keyring": _keyring(),
        "keys": _keys(paths, config, problems),
        "problems": problems,
    }
    if settings.json:
        print_json(document)
    else:
        print_lines(_lines(document))
    if problems:
        raise HistoryError(
            f"{plural(len(problems), 'problem')} found",
            "`batchdeck reindex` builds damaged records anew from the files."
            if checkup.problems
            else "Mend what the report names.",
        )
    return GOOD


def _config(paths: Paths, problems: list[str]) -> Config:
    from tui.config import Config, load_config
    from tui.providers.profile import load_profiles

    try:
        config = load_config(paths)
        load_profiles(config.providers)
    except ConfigError as error:
        problems.append(_posted_text(error.message))
        return Config()
    return config


def _versions() -> dict[str, str]:
    import platform
    import sqlite3
    from importlib import metadata

    from tui import __version__

    versions = {
        "batchdeck": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
    }
    for part in _PARTS:
        try:
            versions[part] = metadata.version(part)
        except metadata.PackageNotFoundError:
            versions[part] = "not installed"
    return versions


def _keyring() -> str:
    """The keyring's backend by its name; looking at it opens nothing."""
    import keyring

    try:
        kind = type(keyring.get_keyring())
    except Exception as error:
        # Backends raise what their desktop gives them; that is the answer.
        return f"not usable ({type(error).__name__})"
    return f"{kind.__module__}.{kind.__qualname__}"


def _keys(paths: Paths, config: Config, problems: list[str]) -> list[dict[str, Any]]:
    """Where the key of each account comes from: names of places, never a key."""
    from tui.engine.accounts import Accounts
    from tui.keys import find_key

    accounts = Accounts(paths, config)
    documents = []
    for name in accounts.names():
        try:
            info = accounts.info(name)
        except BatchdeckError as error:
            problems.append(error.message)
            continue
        source = None
        trouble = None
        try:
            found = find_key(name, info.variables[1:])
        except BatchdeckError as error:
            trouble = error.message if info.needs_key else None
        else:
            if found is not None:
                source = found.name if found.origin == "environment" else found.origin
        documents.append(
            {
                "account": name,
                "provider": info.provider,
                "needed": info.needs_key,
                "source": source,
                "trouble": trouble,
            }
        )
    return documents


def _lines(document: dict[str, Any]) -> list[str]:
    history = document["history"]
    facts = {**document["versions"], **document["paths"]}
    facts["integrity"] = history["integrity"] or "no history yet"
    facts["jobs in it"] = f"{history['jobs']:,}, in {plural(history['batches'], 'part')}"
    facts["keys kept by"] = document["keyring"]
    for key in document["keys"]:
        state = key["source"] or ("missing" if key["needed"] else "none needed")
        trouble = f" ({key['trouble']})" if key["trouble"] else ""
        facts[f"key of {key['account']}"] = state + trouble
    problems = [f"- {problem}" for problem in document["problems"]]
    return [*pairs(facts), "", *(problems or ["Everything is in order."])]


def _posted(place: Path) -> str:
    """A path without the name of the person."""
    try:
        return str(Path("~") / place.relative_to(Path.home()))
    except ValueError:
        return str(place)


def _posted_text(text: str) -> str:
    return text.replace(str(Path.home()), "~")
