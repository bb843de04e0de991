"""What a task may use: the session, the main screen, questions, and the user's API keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from textual.screen import Screen

from tui.config import api_keys
from tui.core.text import visible
from tui.engine.engine import Engine
from tui.engine.user_commands.runner import ProgramResult
from tui.errors import AccountKeyError
from tui.ui.dialogs.input import KeyAnswer, KeyDialog
from tui.ui.screens.main import MainScreen
from tui.ui.session import Session
from tui.ui.state import State

T = TypeVar("T")


class KeyNotGivenError(AccountKeyError):
    """The user was asked for an API key and gave none; there is nothing more to explain."""


class TaskContext:
    """The first argument of each task.

    Args:
        session: The session.
        main: The main screen, which shows the result of a task.
    """

    def __init__(self, session: Session, main: MainScreen) -> None:
        self.session = session
        self.main = main
        self.tried_accounts: set[str] = set()
        """The accounts that may be sent single requests without another question."""
        self.running_actions: dict[str, asyncio.Task[ProgramResult]] = {}
        """The user's actions that run now, by name."""

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.session.engine

    @property
    def state(self) -> State:
        """The state that is kept between runs."""
        return self.session.state

    async def ask(self, dialog: Screen[T]) -> T | None:
        """Show a dialog or a screen and return its answer; ``None`` if it was cancelled."""
        return await self.session.app.push_screen_wait(dialog)

    def say(self, text: str, *, warn: bool = False) -> None:
        """Show a text for a moment, and log it."""
        self.session.log.note(text)
        severity = "warning" if warn else "information"
        self.session.app.notify(text, markup=False, severity=severity)  # type: ignore[arg-type]

    async def with_key(self, account: str, call: Callable[[], Awaitable[T]]) -> T:
        """Run a call; if the key is missing or rejected, ask for one and repeat the call.

        Raises:
            KeyNotGivenError: The user gave no key.
        """
        while True:
            try:
                return await call()
            except AccountKeyError as error:
                hint = error.hint or self.engine.accounts.key_hint(account)
                answer = await self.ask(KeyDialog(account, error.message, hint))
                if answer is None:
                    raise KeyNotGivenError(error.message, hint) from error
                await self.use_key(account, answer)

    async def use_key(self, account: str, answer: KeyAnswer) -> None:
        """Use a key that was typed, and save it to the keyring if that was asked for."""
        address = self.engine.account(account).base_url
        api_keys.remember_key(account, answer.value, address)
        if answer.keep:
            try:
                await asyncio.to_thread(api_keys.store_key, account, answer.value, address)
            except api_keys.KeyringUnavailableError as error:
                self.say(f"{error.message}; key kept for this session only", warn=True)
            else:
                self.say(f"Key of {visible(account)} saved in the keyring")
        await self.engine.accounts.forget(account)
