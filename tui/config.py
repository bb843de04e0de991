"""``config.toml``: what a person may set, read once at start."""

from __future__ import annotations

import difflib
import itertools
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

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


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, with what holds when the file does not say."""

    default_account: str = "sandbox"
    theme: str = "batchdeck-dark"
    compact: bool = False
    keymap: dict[str, str] = {}
    accounts: dict[str, AccountConfig] = {}
    providers: dict[str, dict[str, Any]] = {}
    prices: dict[str, PriceConfig] = {}
    budget: BudgetConfig = BudgetConfig()

    def account_table(self, name: str) -> AccountConfig | None:
        """The table of one account, ``None`` when the file has none of that name."""
        return self.accounts.get(name)


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
    check_keys(table, Config.__struct_fields__, where=str(file))
    accounts = table.get("accounts")
    for name, account in accounts.items() if isinstance(accounts, dict) else ():
        if isinstance(account, dict):
            fields = AccountConfig.__struct_fields__
            check_keys(account, fields, where=f"{file}, [accounts.{name}]")
    try:
        return msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {error}", "Mend the key it names.") from None


def check_keys(table: dict[str, Any], known: Iterable[str], *, where: str) -> None:
    """Refuse keys that mean nothing, naming the nearest one that does.

    Raises:
        ConfigError: There is such a key.
    """
    names = list(known)
    for key in table:
        if key not in names:
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
    for line in _lines(_read_text(paths.config_file)):
        if line.lstrip().startswith("["):
            skipping = line.strip().startswith(headers)
        if not skipping:
            kept.append(line)
    accounts = {other: table for other, table in before.accounts.items() if other != name}
    wanted = msgspec.structs.replace(before, accounts=accounts)
    _write_checked(paths.config_file, "".join(kept), wanted, f"Take out [accounts.{name}] by hand.")


def set_option(paths: Paths, key: str, value: str | bool) -> None:
    """Set one top-level option, leaving comments and tables as they are.

    Raises:
        UsageError: The file is written in a way that only a person can change.
    """
    wanted = msgspec.structs.replace(load_config(paths), **{key: value})
    lines = _lines(_read_text(paths.config_file))
    new = f"{key} = {_toml_value(value)}\n"
    top = itertools.takewhile(lambda line: not line.lstrip().startswith("["), lines)
    places = [number for number, line in enumerate(top) if line.split("=")[0].strip() == key]
    if places:
        lines[places[0]] = new
    else:
        lines.insert(0, new)
    _write_checked(paths.config_file, "".join(lines), wanted, f"Set {new.strip()} by hand.")


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


def _lines(text: str) -> list[str]:
    """Lines with their ends, cut at line feeds alone."""
    lines = text.split("\n")
    return [*(f"{line}\n" for line in lines[:-1]), *([lines[-1]] if lines[-1] else [])]


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
