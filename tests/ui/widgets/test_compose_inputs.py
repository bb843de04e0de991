"""The fields of Compose."""

from __future__ import annotations

import pytest

from tui.ui.commands.command_table import COMMANDS, Scope
from tui.ui.widgets.compose_inputs import JsonTextArea, PlainTextArea


@pytest.mark.parametrize("kind", [PlainTextArea, JsonTextArea])
def test_a_text_leaves_the_function_keys_to_the_commands(kind: type[PlainTextArea]) -> None:
    """Textual's text area selects a line by f6 and all by f7."""
    keys = {
        key
        for command in COMMANDS
        if Scope.COMPOSE in command.scopes or Scope.MAIN in command.scopes
        for key in command.keys.split(",")
        if key[:1] == "f" and key[1:].isdigit()
    }
    assert {"f6", "f7", "f8"} <= keys
    assert not keys & kind()._bindings.key_to_bindings.keys()
