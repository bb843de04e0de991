"""``config.toml`` at the start of the dashboard: written when missing, used as far as it goes."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from tui.config import BudgetConfig, Config, converted, load_config
from tui.configtext import FIRST_FILE
from tui.errors import ConfigError
from tui.paths import Paths, open_private, private_folder

NOTHING = BudgetConfig(per_submit=0.0)
"""The budget while nobody knows what it is: what is free may be sent, nothing else."""


def load_what_can_be_used(paths: Paths) -> tuple[Config, ConfigError | None]:
    """Read ``config.toml``; of a file with faults only what is right in it.

    When it cannot be known what the person's budget is, nothing that costs may be sent.

    Returns:
        The settings, and what is wrong with the file.
    """
    try:
        return load_config(paths), None
    except ConfigError as error:
        return _what_is_right(paths.config_file), error


def _what_is_right(file: Path) -> Config:
    try:
        text = file.read_bytes().decode("utf-8")
        table = tomllib.loads(text)
    except (OSError, ValueError):
        return Config(budget=NOTHING)
    kept: dict[str, Any] = {} if "budget" in table else {"budget": {}}
    for key, value in table.items():
        pieces = [{key: value}]
        if key == "accounts" and isinstance(value, dict):
            pieces = [{key: {name: account}} for name, account in value.items()]
        for piece in pieces:
            try:
                converted(piece, "", file)
            except ConfigError:
                continue
            if isinstance(kept.get(key), dict):
                kept[key].update(piece[key])
            else:
                kept[key] = piece[key]
    config = converted(kept, "", file)
    # A misspelt key may have been meant to be the budget.
    unknown = table.keys() - set(Config.__struct_fields__)
    if "budget" not in kept or unknown:
        config = msgspec.structs.replace(config, budget=NOTHING)
    return config


def write_first_config(paths: Paths) -> bool:
    """Put a commented ``config.toml`` where there is none; was there none?

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        private_folder(paths.config)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(open_private(paths.config_file, flags), "wb") as stream:
            stream.write(FIRST_FILE.encode())
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(f"{paths.config_file} cannot be written: {error.strerror}") from error
    return True
