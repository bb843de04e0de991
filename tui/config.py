"""``config.toml``: what a person may set, read once at start."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tui.configtext import line_of, text_lines, with_value
from tui.errors import ConfigError, UsageError
from tui.paths import Paths

_Amount = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class AccountConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[accounts.NAME]`` table.

    ``provider`` is the id of a profile. ``base_url`` replaces the profile's address.
    ``key_env`` names the environment variable that holds the key. ``allow_http`` lets the
    key travel over plain http to another machine. ``clean_up`` deletes the files at the
    provider once everything was collected. ``kind = "direct"`` sends rows one by one to the
    provider's synchronous endpoint, ``concurrency`` of them at a time and no more than
    ``requests_per_minute``.
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
    """Values for the placeholders of the profile's address, such as ``resource``."""


class PriceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[prices."MODEL"]`` table: what a million tokens cost, in the account's currency.

    ``cached`` are prompt tokens read from a cache. ``batch_discount`` is the part taken off
    in a batch (0.5 is half); without it the prices are those of batches already.
    """

    input: _Amount
    output: _Amount
    cached: _Amount | None = None
    batch_discount: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class BudgetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[budget]`` table: what one submit, and all of a calendar month (UTC), may cost."""

    per_submit: _Amount | None = None
    per_month: _Amount | None = None
    currency: str = "USD"


class NotificationsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[notifications]`` table: how the end of a job is told while nobody looks.

    ``desktop`` is the escape sequence for a notification of the desktop: ``auto`` sends the
    one that the terminal is known to understand, if any.
    """

    bell: bool = True
    title: bool = True
    desktop: Literal["auto", "off", "osc9", "osc777"] = "auto"


class HooksConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[hooks]`` table: a command run at the end of a job, and its time in seconds."""

    on_job_end: str = ""
    timeout: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0


class PollingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[polling]`` table: bounds, in seconds, beside those of the provider's profile."""

    fastest: Annotated[float, msgspec.Meta(ge=0, le=86400)] | None = None
    slowest: Annotated[float, msgspec.Meta(gt=0, le=86400)] | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, with what holds when the file does not say."""

    default_account: str = "sandbox"
    theme: str = "batchdeck-dark"
    compact: bool = False
    editor: str = ""
    pager: str = ""
    keymap: dict[str, str] = {}
    accounts: dict[str, AccountConfig] = {}
    providers: dict[str, dict[str, Any]] = {}
    prices: dict[str, PriceConfig] = {}
    budget: BudgetConfig = BudgetConfig()
    notifications: NotificationsConfig = NotificationsConfig()
    hooks: HooksConfig = HooksConfig()
    polling: PollingConfig = PollingConfig()


def load_config(paths: Paths) -> Config:
    """Read ``config.toml``; a missing file gives the defaults.

    Raises:
        ConfigError: The file is not TOML, or a key is unknown or of the wrong type; the
            message names file and key.
    """
    file = paths.config_file
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    try:
        return _parsed(raw.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", "Mend the line it names.") from None


def _parsed(text: str, file: Path) -> Config:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", "Mend the line it names.") from None
    return converted(table, text, file)


_TABLES: dict[str, type[msgspec.Struct]] = {
    "budget": BudgetConfig,
    "notifications": NotificationsConfig,
    "hooks": HooksConfig,
    "polling": PollingConfig,
}
_NAMED_TABLES: dict[str, type[msgspec.Struct]] = {"accounts": AccountConfig, "prices": PriceConfig}


def converted(table: dict[str, Any], text: str, file: Path) -> Config:
    """The settings that a parsed file says.

    Args:
        table: What was parsed.
        text: The file as it stands, to tell lines of faults; may be empty.
        file: Its name, for messages.

    Raises:
        ConfigError: Something in it cannot be used.
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
    try:
        return msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        where = re.search(r"at `\$\.(?:(.+)\.)?([^.`]+)`", str(error))
        line = line_of(text, where.group(1) or "", where.group(2)) if where else None
        place = f"{file}, line {line}" if line else str(file)
        raise ConfigError(f"{place}: {error}", "Mend the key it names.") from None


def _check_section(
    table: dict[str, Any], known: Iterable[str], text: str, file: Path, section: str
) -> None:
    known = list(known)
    for key in table:
        line = line_of(text, section, key)
        where = f"{file}, line {line}" if line else str(file)
        check_keys({key: None}, known, where=f"{where}, [{section}]" if section else where)


def check_keys(table: dict[str, Any], known: Iterable[str], *, where: str) -> None:
    """Refuse keys that mean nothing, naming the nearest one that does.

    Raises:
        ConfigError: There is such a key.
    """
    names = list(known)
    for key in table:
        if key not in names:
            import difflib

            near = difflib.get_close_matches(key, names, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(names)}."
            raise ConfigError(f"{where}: unknown key {key!r}", hint)


def add_account(paths: Paths, name: str, account: AccountConfig) -> None:
    """Append an ``[accounts.NAME]`` table, leaving the rest of the file as it is.

    Raises:
        UsageError: There is such an account already, or the name has odd characters.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise UsageError(
            f"{name!r} is no name for an account", "Use letters, digits, '-' and '_' only."
        )
    before = load_config(paths)
    if name in before.accounts:
        raise UsageError(f"there is an account {name!r} already", "Remove it first.")
    lines = [f"\n[accounts.{name}]\n"]
    usual = msgspec.to_builtins(AccountConfig(provider=""))
    for key, value in msgspec.to_builtins(account).items():
        if value == usual[key]:
            continue
        lines.append(f"{key} = {_toml_value(value)}\n")
    text = _read_text(paths.config_file)
    if text and not text.endswith("\n"):
        text += "\n"
    accounts = {**before.accounts, name: account}
    wanted = msgspec.structs.replace(before, accounts=accounts)
    _write_checked(paths.config_file, text + "".join(lines), wanted)


def remove_account(paths: Paths, name: str) -> None:
    """Take an ``[accounts.NAME]`` table out of the file.

    Raises:
        UsageError: There is none, or it is written in a way that only a person can change.
    """
    before = load_config(paths)
    if name not in before.accounts:
        raise UsageError(f"there is no account {name!r} in {paths.config_file}")
    kept: list[str] = []
    skipping = False
    headers = (f"[accounts.{name}]", f"[accounts.{name}.")
    for line in text_lines(_read_text(paths.config_file)):
        if line.lstrip().startswith("["):
            skipping = line.strip().startswith(headers)
        if not skipping:
            kept.append(line)
    accounts = {other: table for other, table in before.accounts.items() if other != name}
    wanted = msgspec.structs.replace(before, accounts=accounts)
    _write_checked(paths.config_file, "".join(kept), wanted, f"Take out [accounts.{name}] by hand.")


def set_option(paths: Paths, key: str, value: str | bool | float | None) -> Config:
    """Set one option, leaving comments and all other lines as they are.

    Args:
        paths: Where the file is.
        key: ``theme``, or ``budget.per_month`` for one in a table.
        value: What it becomes; ``None`` for what holds without it.

    Returns:
        The settings as they are now.

    Raises:
        ConfigError: The file cannot be used or written, or this is no value for the option.
        UsageError: The file is written in a way that only a person can change.
    """
    before = load_config(paths)
    try:
        wanted = _replaced(before, key, value)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{key} cannot be {value!r}: {error}", "Choose another value.") from None
    if wanted == before and (value is not None or not paths.config_file.exists()):
        return before
    new = None if value is None else _toml_value(value)
    text = with_value(_read_text(paths.config_file), key, new)
    hint = f"Take {key} out by hand." if new is None else f"Set {key} = {new} by hand."
    _write_checked(paths.config_file, text, wanted, hint)
    return wanted


def _replaced(config: Config, key: str, value: str | bool | float | None) -> Config:
    """The settings with another value.

    Raises:
        msgspec.ValidationError: It is none for this option.
    """
    table: dict[str, Any] = msgspec.to_builtins(config)
    section, _, name = key.rpartition(".")
    place = table[section] if section else table
    if value is None:
        place.pop(name, None)
    else:
        place[name] = value
    return msgspec.convert(table, Config)


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_toml_key(k)} = {_toml_value(v)}" for k, v in value.items()) + " }"
        )
    # A JSON string is a valid TOML basic string, but for DEL, which TOML wants escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _toml_key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _toml_value(name)


def _read_text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""


def _write_checked(
    file: Path, text: str, wanted: Config, hint: str = "Change the file by hand."
) -> None:
    """Write the file, if it then says just what is wanted.

    Raises:
        UsageError: It would not; nothing is written.
    """
    try:
        fits = _parsed(text, file) == wanted
    except ConfigError:
        fits = False
    if not fits:
        raise UsageError(f"{file} is written in a way that cannot be changed from here", hint)
    _write_text(file.resolve(), text)


def _write_text(file: Path, text: str) -> None:
    from tui.paths import open_private, private_folder

    private_folder(file.parent)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(open_private(temporary), "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
