"""``doctor``, ``reindex``, ``locate`` and ``schema``: look after this installation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.errors import EXIT_OK
from tui.cli.options import Settings, complete_jobs, shared
from tui.cli.output import pairs, print_json, print_result, say
from tui.cli.session import run
from tui.core.formatting import counted
from tui.core.status_words import counts_text
from tui.errors import BatchdeckError, ConfigError, HistoryError, UsageError

if TYPE_CHECKING:
    from tui.config.settings import Config
    from tui.engine.engine import Engine
    from tui.paths import Paths


_CLOUDS = {"aws": "AWS credentials", "google": "Google credentials"}
_PACKAGES = ("textual", "httpx", "msgspec", "keyring", "starlette", "uvicorn")


@click.command(short_help="Check for damage; print a report that is safe to share.")
@shared
def doctor(settings: Settings) -> int:
    """Check the history, its files and config.toml for damage; nothing is changed.

    The report is safe to share: it contains no keys, no addresses, no job names and no content.
    The exit code is 2 if there is a problem.
    """
    from tui.store.history import check_integrity, find_open_permissions

    paths = settings.paths
    problems: list[str] = []
    config = _config(settings, problems)
    checkup = check_integrity(paths)
    problems += checkup.problems
    if checkup.is_read_only:
        problems.append(
            f"{_shareable(paths.data)} cannot be written:"
            " jobs can be read, but not submitted or changed"
        )
    problems += [
        f"{_shareable(path)} is readable by other users (mode {mode:04o})"
        for path, mode in find_open_permissions(paths)
    ]
    document: dict[str, Any] = {
        "versions": _versions(checkup.sqlite),
        "paths": {
            "config": _shareable(paths.config_file),
            "history": _shareable(paths.history_db),
            "jobs": _shareable(paths.jobs),
            "log": _shareable(paths.log_file),
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
    print_result(settings, lambda: document, lambda: _lines(document))
    if problems:
        raise HistoryError(
            f"{counted(len(problems), 'problem')} found",
            "`batchdeck reindex` rebuilds a damaged index from the files."
            if checkup.problems and not checkup.is_read_only
            else "Fix the problems listed in the report.",
        )
    return EXIT_OK


def _config(settings: Settings, problems: list[str]) -> Config:
    from tui.config.settings import Config
    from tui.providers.profiles.load import load_profiles

    try:
        config = settings.load_config()
        load_profiles(config.providers)
    except ConfigError as error:
        problems.append(_shareable_text(error.message))
        return Config()
    return config


def _versions(sqlite: str) -> dict[str, str]:
    import platform
    from importlib import metadata

    from tui import __version__

    versions = {
        "batchdeck": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "sqlite": sqlite,
    }
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _keyring() -> str:
    """The name of the keyring backend; this does not unlock the keyring."""
    import keyring

    try:
        kind = type(keyring.get_keyring())
    except Exception as error:
        # Backends raise errors of many types; report the type.
        return f"not usable ({type(error).__name__})"
    return f"{kind.__module__}.{kind.__qualname__}"


def _keys(paths: Paths, config: Config, problems: list[str]) -> list[dict[str, Any]]:
    """Where the key of each account comes from, and its cloud credentials; never these."""
    from tui.engine.accounts import Accounts

    accounts = Accounts(paths, config)
    documents = []
    for name in accounts.names():
        try:
            info = accounts.info(name)
        except BatchdeckError as error:
            problems.append(error.message)
            continue
        source = None
        problem = None
        try:
            found = accounts.find_key(name)
        except BatchdeckError as error:
            problem = error.message if info.needs_key else None
        else:
            if found is not None:
                source = found.name if found.origin == "environment" else found.origin
        documents.append(
            {
                "account": name,
                "provider": info.provider,
                "needed": info.needs_key,
                "source": source,
                "trouble": problem,
                "credentials": accounts.credentials(name),
            }
        )
    return documents


def _lines(document: dict[str, Any]) -> list[str]:
    history = document["history"]
    facts = {**document["versions"], **document["paths"]}
    facts["integrity"] = history["integrity"] or "no history yet"
    facts["stored jobs"] = (
        f"{history['jobs']:,}, in {counted(history['batches'], 'batch', 'batches')}"
    )
    facts["keyring backend"] = document["keyring"]
    for key in document["keys"]:
        state = key["source"] or ("missing" if key["needed"] else "not needed")
        problem = f" ({key['trouble']})" if key["trouble"] else ""
        facts[f"key for {key['account']}"] = state + problem
        for way, where in key["credentials"].items():
            facts[f"{_CLOUDS[way]} for {key['account']}"] = where
    problems = [f"- {problem}" for problem in document["problems"]]
    return [*pairs(facts), "", *(problems or ["No problems found."])]


def _shareable(path: Path) -> str:
    """A path with the home folder as ``~``, to hide the user name."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except ValueError:
        return str(path)


def _shareable_text(text: str) -> str:
    return text.replace(str(Path.home()), "~")


@click.command(short_help="Rebuild the index of a job from its files.")
@click.argument("job", required=False, shell_complete=complete_jobs)
@shared
def reindex(settings: Settings, job: str | None) -> None:
    """Rebuild the index of a JOB, or of all jobs, from the requests and result files.

    The files are the source of truth; use this to repair a damaged history. Running jobs are
    skipped. Jobs that are missing in the history are restored from their folders.
    """

    async def work(engine: Engine) -> None:
        restored = await _restore(engine)
        if job is not None:
            one = engine.history.jobs.find(job).id
            documents = [await _rebuild(engine, one, restored=one in restored)]
        else:
            documents = []
            for found in reversed(engine.history.jobs.list()):
                try:
                    again = found.id in restored
                    documents.append(await _rebuild(engine, found.id, restored=again))
                except UsageError as error:
                    say(f"{found.name} ({found.id}): {error.message}; skipped.")
        if settings.json:
            print_json(documents if job is None else documents[0])

    run(settings, work)


async def _restore(engine: Engine) -> set[str]:
    """Bring back jobs from their folders, and say which."""
    import asyncio
    import time

    back, unknown = await asyncio.to_thread(engine.history.jobs.restore, time.time())
    for job_id in back:
        say(f"{engine.history.jobs.get(job_id).name} ({job_id}): restored from its folder.")
    for name in unknown:
        say(f"Folder jobs/{name} does not say which job it belongs to; left as it is.")
    return set(back)


async def _rebuild(engine: Engine, job_id: str, *, restored: bool = False) -> dict[str, Any]:
    import asyncio
    import time

    from tui.core.retry_rules import RetryRules

    def rules_of(account: str) -> Mapping[str, bool]:
        try:
            return RetryRules(engine.accounts.profile(account).retry_codes)
        except UsageError:
            # The account is no longer configured: use the common rules.
            return {}

    done = await asyncio.to_thread(
        lambda: engine.history.jobs.reindex(
            job_id, rules_of=rules_of, now=time.time(), restored=restored
        )
    )
    job = engine.history.jobs.get(job_id)
    lines = counted(done.lines, "result line")
    say(f"{job.name} ({job.id}): {lines} read; {counts_text(job.counts)}.")
    for name in done.missing:
        say(f"Missing file: {name}.")
    return {
        "job": job_id,
        "requests_found": done.requests,
        "lines": done.lines,
        "rows_without_line": done.without_result,
        "missing_files": done.missing,
        "counts": engine.history.jobs.document(job_id)["counts"],
    }


@click.command()
@shared
def locate(settings: Settings) -> None:
    """Print the paths of configuration, history, job files and log."""
    paths = settings.paths
    locations = {
        "config": str(paths.config_file),
        "templates": str(paths.templates),
        "history": str(paths.history_db),
        "jobs": str(paths.jobs),
        "sandbox": str(paths.sandbox),
        "log": str(paths.log_file),
    }
    print_result(settings, lambda: locations, lambda: pairs(locations))


_URN = "urn:batchdeck:"


def names() -> list[str]:
    """The names of all documents, sorted."""
    files = resources.files("tui.cli").joinpath("documents").iterdir()
    return sorted(file.name.removesuffix(".json") for file in files)


def load(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a document, with all referenced schemas embedded.

    A validator needs no other file: the schemas that ``urn:batchdeck:NAME`` refers to are in
    ``$defs`` with their own ``$id`` (JSON Schema core, 9.3, compound documents).

    Raises:
        UsageError: There is no document of that name.
    """
    if name not in names():
        raise UsageError(f"no schema named {name!r}", f"Choose one of {', '.join(names())}.")
    schema = _read(name)
    embedded: dict[str, Any] = {}
    _collect_references(schema, embedded)
    embedded.pop(name, None)
    return {**schema, "$defs": {**schema.get("$defs", {}), **embedded}} if embedded else schema


def _read(name: str) -> dict[str, Any]:
    import msgspec

    text = resources.files("tui.cli").joinpath("documents", f"{name}.json").read_bytes()
    schema: dict[str, Any] = msgspec.json.decode(text)
    return schema


def _collect_references(part: Any, found: dict[str, Any]) -> None:
    """Load the schemas that ``part`` refers to, recursively, into ``found``."""
    if isinstance(part, list):
        for item in part:
            _collect_references(item, found)
    elif isinstance(part, dict):
        target = part.get("$ref")
        if isinstance(target, str) and target.startswith(_URN):
            name = target.removeprefix(_URN).partition("#")[0]
            if name not in found:
                found[name] = _read(name)
                _collect_references(found[name], found)
        for item in part.values():
            _collect_references(item, found)


@click.command(short_help="Print the JSON Schema of a document.")
@click.argument("name", required=False)
@shared
def schema(settings: Settings, name: str | None) -> None:
    """Print the JSON Schema of the document NAME, or list all documents.

    Scripts can rely on the schemas: fields may be added, but are never removed or changed.
    """
    if name is not None:
        print_json(load(name))
        return
    descriptions = {each: str(load(each)["description"]) for each in names()}
    print_result(settings, lambda: descriptions, lambda: pairs(descriptions))
