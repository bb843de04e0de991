"""The form that adds an account: provider, name, address and key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Input, Label, Select

from tui.config.settings import is_account_name
from tui.core.text import one_line, visible
from tui.engine.account_setup import ProviderChoice
from tui.ui.dialogs.base import FormDialog


@dataclass(frozen=True)
class NewAccount:
    """What was typed; the ``repr`` does not contain the key.

    Attributes:
        address: The base URL; empty for the provider's own.
        key: The API key; empty for none.
    """

    provider: str
    name: str
    address: str
    key: str = field(repr=False)


class AccountDialog(FormDialog[NewAccount]):
    """Provider, name, address where one is needed, and key.

    Args:
        providers: The providers to choose from.
        names: The names that are taken.
    """

    DEFAULT_CSS = """
    AccountDialog > .dialog { width: 72; }
    AccountDialog Grid {
        grid-size: 2; grid-columns: 10 1fr; grid-rows: 1; height: 4; margin-bottom: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "confirm", show=False, priority=True),
    ]

    def __init__(self, providers: Sequence[ProviderChoice], names: Collection[str]) -> None:
        super().__init__("Add an account")
        self._providers = {provider.id: provider for provider in providers}
        self._names = frozenset(names)
        self._proposed = ""

    def compose_content(self) -> ComposeResult:
        """The fields, the note and the buttons."""
        with Grid():
            yield Label("Provider")
            yield Select[str](
                [(one_line(each.name, 48), each.id) for each in self._providers.values()],
                prompt="choose one",
                compact=True,
                id="account-provider",
            )
            yield Label("Name")
            yield Input(compact=True, id="account-name")
            yield Label("Address")
            yield Input(compact=True, id="account-address")
            yield Label("API key")
            yield Input(
                password=True,
                placeholder="saved in the keyring of your system",
                compact=True,
                id="account-key",
            )
        yield self.note()
        yield from self.buttons("Add and test  ctrl+s")

    def on_mount(self) -> None:
        """Focus the list of providers."""
        self.query_one(Select).focus()
        self._explain()

    @property
    def _provider(self) -> ProviderChoice | None:
        chosen = self.query_one(Select).value
        return self._providers.get(chosen) if isinstance(chosen, str) else None

    def _text(self, name: str) -> str:
        return self.query_one(f"#account-{name}", Input).value.strip()

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        provider = self._provider
        if provider is None:
            return
        name = self.query_one("#account-name", Input)
        if name.value in ("", self._proposed):
            self._proposed = name.value = self._free_name(provider.id)
        example = visible(provider.base_url) or "https://host.example/v1"
        self.query_one("#account-address", Input).placeholder = example
        self._explain()
        # The next thing to fill in.
        where = "address" if provider.needs_address else "key" if provider.needs_key else "name"
        self.query_one(f"#account-{where}", Input).focus()

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self._names:
            name, number = f"{wanted}-{number}", number + 1
        return name

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._explain()

    def _explain(self) -> None:
        problem = self._problem
        self.say(problem or "A free request tests the account.", "warn" if problem else "muted")

    @property
    def _problem(self) -> str:
        """What is wrong or missing; empty if the account can be added."""
        provider = self._provider
        if provider is None:
            return "Choose a provider: enter opens the list."
        name, address = self._text("name"), self._text("address")
        if not name:
            return "Enter a name."
        if not is_account_name(name):
            return "The name may have letters, digits, - and _ only."
        if name in self._names:
            return f"There is an account {name} already."
        if not address and provider.needs_address:
            return "Enter the address of your server: its base URL."
        if address and not address.startswith(("https://", "http://")):
            return "The address must start with https:// or http://."
        if "{" in address:
            return "Replace the part of the address in braces with your own."
        return ""

    def entered(self) -> None:
        """Add the account after ``enter`` in the last field, else go to the next field."""
        if self.focused is not None and self.focused.id == "account-key":
            self.action_confirm()
        else:
            self.focus_next()

    def action_confirm(self) -> None:
        """Return the account if it is complete."""
        provider = self._provider
        if provider is None or self._problem:
            self.app.bell()
            return
        self.dismiss(
            NewAccount(provider.id, self._text("name"), self._text("address"), self._text("key"))
        )
