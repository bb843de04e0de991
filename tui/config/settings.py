"""``config.toml``: its settings, how it is read, and edits that keep what the user wrote."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from tui.config.actions import ActionConfig
from tui.core.reviews.review import MAX_LABELS, check_label, check_reviewer
from tui.errors import ConfigError, UsageError
from tui.files import atomic_write, write_error
from tui.paths import Paths, private_folder

DEFAULT_CONFIG = Path(__file__).with_name("default.toml")
"""The initial ``config.toml``: every setting, commented out and explained."""

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_Amount = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class AccountConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[accounts.NAME]`` table.

    ``provider`` is the id of a profile. ``base_url`` overrides the profile's base URL.
    ``key_env`` names the environment variable that holds the key. ``allow_http`` permits
    sending the key over plain HTTP to another machine. ``clean_up`` deletes the files at the
    provider after all results are downloaded. ``kind = "direct"`` sends rows one by one to
    the provider's synchronous endpoint, up to ``concurrency`` at a time and
    ``requests_per_minute`` per minute.
    """

    provider: str
    kind: Literal["batch", "direct"] = "batch"
    base_url: str | None = None
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=256)] | None = None
    requests_per_minute: Annotated[float, msgspec.Meta(ge=0, le=1e6)] | None = None
    key_env: str | None = None
    allow_http: bool = False
    clean_up: bool = False
    params: dict[str, str] = {}
    """Values for the placeholders in the profile's URL, such as ``resource``."""


class PriceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[prices."MODEL"]`` table: price per million tokens, in the account's currency.

    ``cached`` is the price of prompt tokens read from a cache. ``batch_discount`` is the
    fraction taken off in a batch (0.5 is half); without it the prices are batch prices.
    """

    input: _Amount
    output: _Amount
    cached: _Amount | None = None
    batch_discount: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class BudgetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[budget]`` table: cost limits per submit and per calendar month (UTC)."""

    per_submit: _Amount | None = None
    per_month: _Amount | None = None
    currency: str = "USD"


class NotificationsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[notifications]`` table: how the dashboard announces that a job ended.

    ``desktop`` selects the escape sequence for desktop notifications; ``auto`` sends the one
    that the terminal is known to support, if any.
    """

    bell: bool = True
    title: bool = True
    desktop: Literal["auto", "off", "osc9", "osc777"] = "auto"


class HooksConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[hooks]`` table: commands to run when something happens to a job.

    ``on_submit`` runs when the provider has accepted its first batch, ``on_first_failure`` when a
    row has failed, ``on_flag`` when it is stuck or late, ``on_budget`` when a budget did not allow
    it, ``on_job_end`` when it has ended, also after a retry. ``env`` names further environment
    variables that the commands get; ``timeout`` is in seconds.
    """

    on_job_end: str = ""
    on_submit: str = ""
    on_first_failure: str = ""
    on_flag: str = ""
    on_budget: str = ""
    env: tuple[str, ...] = ()
    timeout: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0


class PollingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[polling]`` table: poll intervals in seconds, within the provider's own limits."""

    fastest: Annotated[float, msgspec.Meta(ge=0, le=86400)] | None = None
    slowest: Annotated[float, msgspec.Meta(gt=0, le=86400)] | None = None


class ReviewConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[review]`` table: who reviews answers, and the labels in place of right and wrong.

    ``name`` is by default the name of the system's user.
    """

    name: str = ""
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            labels = [check_label(label).casefold() for label in self.labels]
            if self.name:
                check_reviewer(self.name)
        except UsageError as error:
            raise ValueError(f"{error.message}. {error.hint}") from None
        if len(labels) > MAX_LABELS:
            raise ValueError(f"there can be at most {MAX_LABELS} labels, one for each digit key")
        if len(set(labels)) < len(labels):
            raise ValueError("a label is there twice")


class SourcesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[sources]`` table: the largest file that is fetched from an address, in megabytes."""

    max_megabytes: Annotated[float, msgspec.Meta(gt=0, le=1e9)] = 4000.0


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, with their defaults."""

    default_account: str = "sandbox"
    theme: str = "batchdeck-dark"
    compact: bool = False
    editor: str = ""
    pager: str = ""
    keymap: dict[str, str] = {}
    sections: dict[str, str] = {}
    accounts: dict[str, AccountConfig] = {}
    providers: dict[str, dict[str, Any]] = {}
    prices: dict[str, PriceConfig] = {}
    budget: BudgetConfig = BudgetConfig()
    notifications: NotificationsConfig = NotificationsConfig()
    hooks: HooksConfig = HooksConfig()
    polling: PollingConfig = PollingConfig()
    review: ReviewConfig = ReviewConfig()
    actions: dict[str, ActionConfig] = {}
    sources: SourcesConfig = SourcesConfig()

    def with_max_size(self, octets: int) -> Config:
        """The settings with another size of the largest file that is fetched, in bytes."""
        sources = SourcesConfig(max_megabytes=octets / 1_000_000)
        return msgspec.structs.replace(self, sources=sources)


def load_config(paths: Paths) -> Config:
    """Read ``config.toml``; a missing file gives the defaults.

    Raises:
        ConfigError: The file is not valid TOML, or a key is unknown or of the wrong type;
            the message names the file and the key.
    """
    file = paths.config_file
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    try:
        return _parsed(raw.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", "Fix that line.") from None


def _parsed(text: str, file: Path) -> Config:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", "Fix that line.") from None
    return config_from_table(table, text, file)


_TABLES: dict[str, type[msgspec.Struct]] = {
    "budget": BudgetConfig,
    "notifications": NotificationsConfig,
    "hooks": HooksConfig,
    "polling": PollingConfig,
    "review": ReviewConfig,
    "sources": SourcesConfig,
}
ConfigTable = TypeVar("ConfigTable")
_NAMED_TABLES: dict[str, type[msgspec.Struct]] = {
    "accounts": AccountConfig,
    "prices": PriceConfig,
    "actions": ActionConfig,
}


def config_from_table(table: dict[str, Any], text: str, file: Path) -> Config:
    """Convert a parsed file to a ``Config``.

    Args:
        table: The parsed TOML.
        text: The text of the file, to find line numbers for errors; may be empty.
        file: Path of the file, for messages.

    Raises:
        ConfigError: A key is unknown, or a value is of the wrong type or out of range.
    """
    sections: list[tuple[str, Any, type[msgspec.Struct]]] = [("", table, Config)]
    sections += [(name, table.get(name), kind) for name, kind in _TABLES.items()]
    for outer, kind in _NAMED_TABLES.items():
        inner = table.get(outer)
        if isinstance(inner, dict):
            sections += [(f"{outer}.{name}", value, kind) for name, value in inner.items()]
    for section, value, kind in sections:
        if isinstance(value, dict):
            _check_section(value, kind.__struct_fields__, text, file, section)
    for section, value, kind in sections:
        if "." in section:
            # The error of the whole table would not say which of the named ones it is in.
            _convert(value, kind, text, file, section)
    return _convert(table, Config, text, file)


def _convert(
    table: Any, kind: type[ConfigTable], text: str, file: Path, section: str = ""
) -> ConfigTable:
    """Convert a table, or one section of it.

    Raises:
        ConfigError: A value is of the wrong type or out of range.
    """
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        where = re.search(r"at `\$\.(?:(.+)\.)?([^.`\[]+)(?:\[\.*\d*\])?`", str(error))
        outer = ".".join(filter(None, (section, where.group(1) if where else "")))
        line = line_of(text, outer, where.group(2)) if where else line_of(text, "", section)
        place = f"{file}, line {line}" if line else str(file)
        named = f"[{section}]: " if section else ""
        raise ConfigError(f"{place}: {named}{error}", "Fix that key.") from None


def _check_section(
    table: dict[str, Any], known: Iterable[str], text: str, file: Path, section: str
) -> None:
    known = list(known)
    for key in table:
        line = line_of(text, section, key)
        where = f"{file}, line {line}" if line else str(file)
        check_keys({key: None}, known, where=f"{where}, [{section}]" if section else where)


def check_keys(table: dict[str, Any], known: Iterable[str], *, where: str) -> None:
    """Reject unknown keys and suggest the closest known one.

    Raises:
        ConfigError: A key is unknown.
    """
    names = list(known)
    for key in table:
        if key not in names:
            import difflib

            near = difflib.get_close_matches(key, names, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(names)}."
            raise ConfigError(f"{where}: unknown key {key!r}", hint)


def line_of(text: str, section: str, key: str) -> int | None:
    """The line number (from 1) of a key in a section; ``None`` when it is not found.

    Args:
        text: The text of the file.
        section: ``accounts.work``; empty for the top level.
        key: The key in that section.
    """
    wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]")
    here = ""
    for number, line in enumerate(text.split("\n"), start=1):
        header = _HEADER.match(line)
        if header:
            here = header.group(1).replace('"', "").replace("'", "")
            # A table with an unknown name: report the line of its header.
            if here == ".".join(filter(None, (section, key))):
                return number
        elif here == section and wanted.match(line):
            return number
    return None


def is_account_name(name: str) -> bool:
    """Whether a name has only letters, digits, ``-`` and ``_`` (at least one letter or digit)."""
    return name.isascii() and name.replace("-", "").replace("_", "").isalnum()


def add_account(paths: Paths, name: str, account: AccountConfig) -> None:
    """Append an ``[accounts.NAME]`` table; the rest of the file is unchanged.

    Raises:
        UsageError: The account exists already, or the name has invalid characters.
    """
    import tomlkit

    if not is_account_name(name):
        raise UsageError(f"invalid account name {name!r}", "Use letters, digits, '-' and '_' only.")
    before = load_config(paths)
    if name in before.accounts:
        raise UsageError(f"account {name!r} already exists", "Remove it first.")
    defaults = msgspec.to_builtins(AccountConfig(provider=""))
    values = msgspec.to_builtins(account).items()
    changed = {key: value for key, value in values if value != defaults[key]}
    text = _read_text(paths.config_file)
    gap = "\n" if text.endswith("\n") or not text else "\n\n"
    text += gap + tomlkit.dumps({"accounts": {name: changed}})
    wanted = msgspec.structs.replace(before, accounts={**before.accounts, name: account})
    _write_checked(paths.config_file, text, wanted)


def remove_account(paths: Paths, name: str) -> None:
    """Remove an account from the file.

    Raises:
        UsageError: There is no such account, or its layout can only be edited manually.
    """
    before = load_config(paths)
    if name not in before.accounts:
        raise UsageError(f"there is no account {name!r} in {paths.config_file}")
    text = _edited(paths.config_file, lambda document: document["accounts"].pop(name))
    accounts = {other: table for other, table in before.accounts.items() if other != name}
    wanted = msgspec.structs.replace(before, accounts=accounts)
    _write_checked(paths.config_file, text, wanted, f"Remove [accounts.{name}] manually.")


def set_option(paths: Paths, key: str, value: str | bool | float | None) -> Config:
    """Set one option; comments and all other lines are unchanged.

    Args:
        paths: Locates the file.
        key: ``theme``, or ``budget.per_month`` for a key in a table.
        value: The new value; ``None`` restores the default.

    Returns:
        The new settings.

    Raises:
        ConfigError: The file is invalid or cannot be written, or the value is invalid.
        UsageError: The layout of the file can only be edited manually.
    """
    before = load_config(paths)
    try:
        wanted = _replaced(before, key, value)
    except msgspec.ValidationError as error:
        raise ConfigError(f"invalid {key} {value!r}: {error}", "Choose another value.") from None
    if wanted == before and (value is not None or not paths.config_file.exists()):
        return before
    text = _edited(paths.config_file, lambda document: _assign(document, key, value))
    hint = f"Remove {key} manually." if value is None else f"Set {key} = {value!r} manually."
    _write_checked(paths.config_file, text, wanted, hint)
    return wanted


def _replaced(config: Config, key: str, value: str | bool | float | None) -> Config:
    """The settings with one value replaced.

    Raises:
        msgspec.ValidationError: The value is invalid for this option.
    """
    table: dict[str, Any] = msgspec.to_builtins(config)
    section, _, name = key.rpartition(".")
    place = table[section] if section else table
    if value is None:
        place.pop(name, None)
    else:
        place[name] = value
    return msgspec.convert(table, Config)


def _edited(file: Path, change: Callable[[Any], object]) -> str:
    """The text of the file after a change; unchanged if its layout does not allow the change."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    text = _read_text(file)
    try:
        document = tomlkit.parse(text)
        change(document)
        return tomlkit.dumps(document)
    except (TOMLKitError, LookupError, TypeError, ValueError):
        return text


def _assign(document: Any, key: str, value: str | bool | float | None) -> None:
    """Set or remove an option; a new one goes below the comment that proposes it."""
    from tomlkit import table
    from tomlkit.items import Comment, InlineTable

    section, _, name = key.rpartition(".")
    if section and section not in document and value is not None:
        document[section] = table()
    place = document[section] if section else document
    if value is None:
        place.pop(name, None)
    elif name in place:
        place[name] = value
    else:
        container = place.value if section else place
        proposal = re.compile(rf"#\s*{re.escape(name)}\s*=")
        after = 0
        for number, (_, item) in enumerate(container.body, start=1):
            if isinstance(item, Comment) and proposal.match(item.as_string()):
                after = number
        if after < len(container.body) and not isinstance(place, InlineTable):
            # The public functions only append.
            container._insert_at(after, name, value)
        else:
            place.append(name, value)


def _read_text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""


def _write_checked(
    file: Path, text: str, wanted: Config, hint: str = "Edit the file manually."
) -> None:
    """Write the file if the new text parses to exactly the wanted settings.

    Raises:
        UsageError: It does not; nothing is written.
        ConfigError: The file cannot be written.
    """
    try:
        fits = _parsed(text, file) == wanted
    except ConfigError:
        fits = False
    if not fits:
        raise UsageError(f"cannot edit {file} automatically because of its layout", hint)
    _write(file.resolve(), text.encode())


def _write(file: Path, data: bytes) -> None:
    try:
        private_folder(file.parent)
    except OSError as error:
        raise write_error(file, error, ConfigError) from error
    atomic_write(file, data, ConfigError)


FREE_ONLY = BudgetConfig(per_submit=0.0)
"""Fallback when the budget in config.toml cannot be read: only free requests are sent."""


def load_valid_settings(paths: Paths) -> tuple[Config, ConfigError | None]:
    """Read ``config.toml``; when it has errors, use only the valid settings.

    When the user's budget cannot be determined, only free requests may be sent.

    Returns:
        The settings, and the error in the file or ``None``.
    """
    try:
        return load_config(paths), None
    except ConfigError as error:
        return _valid_settings(paths.config_file), error


def _valid_settings(file: Path) -> Config:
    try:
        text = file.read_bytes().decode("utf-8-sig")
        table = tomllib.loads(text)
    except (OSError, ValueError):
        return Config(budget=FREE_ONLY)
    kept: dict[str, Any] = {} if "budget" in table else {"budget": {}}
    for key, value in table.items():
        pieces = [{key: value}]
        if key == "accounts" and isinstance(value, dict):
            pieces = [{key: {name: account}} for name, account in value.items()]
        for piece in pieces:
            try:
                config_from_table(piece, "", file)
            except ConfigError:
                continue
            if isinstance(kept.get(key), dict):
                kept[key].update(piece[key])
            else:
                kept[key] = piece[key]
    config = config_from_table(kept, "", file)
    # A misspelled key may be the budget.
    unknown = table.keys() - set(Config.__struct_fields__)
    if "budget" not in kept or unknown:
        config = msgspec.structs.replace(config, budget=FREE_ONLY)
    return config


def create_config(paths: Paths) -> bool:
    """Create a commented ``config.toml`` if there is none.

    Returns:
        Whether the file was created.

    Raises:
        ConfigError: The file cannot be written.
    """
    file = paths.config_file
    if file.exists() or file.is_symlink():
        return False
    _write(file, DEFAULT_CONFIG.read_bytes())
    return True
