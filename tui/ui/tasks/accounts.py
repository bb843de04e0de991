"""Accounts and keys: add an account, give an account a key, and test it."""

from __future__ import annotations

import asyncio

from tui.config.settings import AccountConfig
from tui.core.text import one_line
from tui.engine.account_setup import check_account, provider_choices, store_account
from tui.ui.dialogs.account import AccountDialog
from tui.ui.dialogs.choose import Choice, ChooseDialog
from tui.ui.dialogs.input import KeyAnswer, KeyDialog
from tui.ui.tasks.context import TaskContext


async def add_account(context: TaskContext) -> None:
    """Ask for an account, write it to ``config.toml``, keep its key, select it and test it."""
    session = context.session
    taken = set(session.config.accounts)
    answer = await context.ask(AccountDialog(provider_choices(session.config), taken))
    if answer is None:
        return
    table = AccountConfig(
        provider=answer.provider,
        base_url=answer.address or None,
        params=dict(answer.params),
    )
    session.set_config(await asyncio.to_thread(store_account, session.paths, answer.name, table))
    if answer.key:
        await context.use_key(answer.name, KeyAnswer(answer.key, keep=True))
    context.main.account_added(answer.name)
    context.say(f"Account {one_line(answer.name, 40)} added")
    await _test(context, answer.name)


async def set_key(context: TaskContext) -> None:
    """Choose an account, ask for its key, and test it."""
    engine = context.engine
    infos = [engine.account(name) for name in engine.account_names()]
    choices = [
        Choice(info.name, info.name, info.provider_name) for info in infos if not info.is_free
    ]
    choices.append(Choice("", "Add an account…"))
    name = await context.ask(ChooseDialog("API key of account", choices, engine.accounts.default))
    if name is None:
        return
    if not name:
        await add_account(context)
        return
    words = "The new key replaces the current one."
    answer = await context.ask(KeyDialog(name, words, engine.accounts.key_hint(name)))
    if answer is not None:
        await context.use_key(name, answer)
        await _test(context, name)


async def _test(context: TaskContext, name: str) -> None:
    tested = await context.with_key(name, lambda: check_account(context.engine.accounts, name))
    context.say(f"Account {one_line(name, 40)} {tested.words}")
