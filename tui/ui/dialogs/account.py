"""The form that adds an account: provider, name, address, values, the way to sign in, and key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Input, Label, Select

from tui.config.settings import is_account_name
from tui.core.text import free_name, one_line, visible
from tui.engine.account_setup import ProviderChoice
from tui.ui.dialogs.base import FormDialog
from tui.ui.widgets.basics import Field


@dataclass(frozen=True)
class NewAccount:
    """What was typed; the ``repr`` does not contain the key.

    Attributes:
        address: The base URL; empty for the provider's own.
        key: The API key; empty for none, or if another way to sign in was chosen.
        params: The account's own values, such as its bucket.
    """

    provider: str
    name: str
    address: str
    key: str = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict)


_ENVIRONMENT = "environment"
_NOTHING = "nothing"
_CREDENTIALS = {
    "aws": "the AWS credentials of this machine",
    "google": "the Google credentials of this machine",
}


def ways_of(provider: ProviderChoice) -> list[tuple[str, str]]:
    """The ways to sign in at a provider: label and name, the one to propose first."""
    ways: list[tuple[str, str]] = []
    for way in provider.ways:
        if way != "key":
            ways.append((_CREDENTIALS[way], way))
            continue
        ways.append(("an API key, saved in the keyring of your system", way))
        if provider.variables:
            variable = provider.set_variable or provider.variables[0]
            state = "set" if provider.set_variable else "not set"
            found = (f"the variable {variable} ({state})", _ENVIRONMENT)
            ways.insert(0 if provider.set_variable else len(ways), found)
    if not provider.needs_key and provider.ways == ("key",):
        ways.append(("without a key", _NOTHING))
    return ways


class AccountDialog(FormDialog[NewAccount]):
    """Provider, name, address and values where they are needed, the way to sign in, and key.

    Args:
        providers: The providers to choose from.
        names: The names that are taken.
    """

    DEFAULT_CSS = """
    AccountDialog > .dialog { width: 72; }
    AccountDialog Grid {
        grid-size: 2; grid-columns: 10 1fr; grid-rows: 1; height: 6; margin-bottom: 1;
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
            yield Field(compact=True, id="account-name")
            yield Label("Address")
            yield Field(compact=True, id="account-address")
            yield Label("Values")
            yield Field(compact=True, id="account-values")
            yield Label("Sign in")
            yield Select[str](
                [("choose a provider", "")], allow_blank=False, compact=True, id="account-way"
            )
            yield Label("API key")
            yield Field(password=True, compact=True, id="account-key")
        yield self.note()
        yield from self.buttons("Add and test  ctrl+s")

    def on_mount(self) -> None:
        """Focus the list of providers."""
        self.query_one("#account-provider", Select).focus()
        self._explain()

    @property
    def _provider(self) -> ProviderChoice | None:
        chosen = self.query_one("#account-provider", Select).value
        return self._providers.get(chosen) if isinstance(chosen, str) else None

    @property
    def _way(self) -> str:
        chosen = self.query_one("#account-way", Select).value
        return chosen if isinstance(chosen, str) else ""

    @property
    def _params(self) -> dict[str, str]:
        """The values as typed: ``name=value``, with blanks between them."""
        pairs = (each.partition("=") for each in self._text("values").split())
        return {name: value for name, _, value in pairs}

    def _text(self, name: str) -> str:
        return self.query_one(f"#account-{name}", Input).value.strip()

    @on(Select.Changed, "#account-way")
    def _way_chosen(self, event: Select.Changed) -> None:
        event.stop()
        self._allow_key()
        self._explain()

    def _allow_key(self) -> None:
        self.query_one("#account-key", Input).disabled = self._way != "key"

    @on(Select.Changed, "#account-provider")
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        provider = self._provider
        if provider is None:
            return
        name = self.query_one("#account-name", Input)
        if name.value in ("", self._proposed):
            self._proposed = name.value = free_name(provider.id, self._names.__contains__)
        example = visible(provider.base_url) or "https://host.example/v1"
        self.query_one("#account-address", Input).placeholder = example
        values = self.query_one("#account-values", Input)
        values.placeholder = " ".join(f"{each}=…" for each in provider.params) or "none needed"
        ways = ways_of(provider)
        way = self.query_one("#account-way", Select)
        way.set_options([(one_line(label, 56), name) for label, name in ways])
        way.value = ways[0][1]
        self._allow_key()
        self._explain()
        self.query_one(f"#account-{self._next_field(provider) or 'name'}", Input).focus()

    def _next_field(self, provider: ProviderChoice, after: str = "") -> str:
        """The next field that needs something; empty if nothing is left after this one."""
        needed = {
            "address": provider.needs_address,
            "values": bool(provider.params),
            "key": self._way == "key" and (provider.needs_key or bool(after)),
        }
        left = list(needed)
        if after in needed:
            left = left[left.index(after) + 1 :]
        return next((name for name in left if needed[name]), "")

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
        if bad := next((each for each in self._text("values").split() if "=" not in each), ""):
            return f"{one_line(bad, 30)} is not a value: write name=value."
        if lacking := provider.lacks(self._params, address):
            return (
                f"Enter the values that {one_line(provider.name, 30)} needs: {' '.join(lacking)}."
            )
        return ""

    def entered(self) -> None:
        """Add the account after ``enter`` in the last field, else go to the next one needed."""
        provider = self._provider
        at = (self.focused.id or "" if self.focused is not None else "").removeprefix("account-")
        if provider is None:
            self.query_one("#account-provider", Select).focus()
        elif following := self._next_field(provider, at):
            self.query_one(f"#account-{following}", Input).focus()
        else:
            self.action_confirm()

    def action_confirm(self) -> None:
        """Return the account if it is complete."""
        provider = self._provider
        if provider is None or self._problem:
            self.app.bell()
            return
        key = self._text("key") if self._way == "key" else ""
        self.dismiss(
            NewAccount(provider.id, self._text("name"), self._text("address"), key, self._params)
        )
