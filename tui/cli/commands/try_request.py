"""``try``: one request sent at once, to see the answer before a batch is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.costs import is_free
from tui.cli.options import account_option, shared, yes_option
from tui.cli.output import pairs, print_json, print_lines, say
from tui.cli.session import ask, run
from tui.cli.settings import Settings

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.engine.trying import Trial

_PROMPTS = ("system", "instructions", "messages", "input", "prompt", "text")


@click.command("try", short_help="Send one request of a file at once, and show the answer.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--line",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Which request of the file; else the first.",
)
@account_option
@yes_option
@shared
def try_request(settings: Settings, file: Path, line: int, account: str | None) -> None:
    """Send one request of a FILE to the provider's ordinary endpoint, outside any batch.

    It costs what a single request costs; it is not kept in the history.
    """

    async def work(engine: Engine) -> None:
        await try_and_show(engine, settings, file, line, account)

    run(settings, work)


async def try_and_show(
    engine: Engine, settings: Settings, file: Path, number: int, account: str | None
) -> None:
    """Ask before it costs something, try a request of a file, and print prompt and answer."""
    trial = await try_asked(engine, settings, file, number, account)
    if settings.json:
        print_json(trial_document(trial))
    else:
        print_lines(trial_story(trial))


async def try_asked(
    engine: Engine, settings: Settings, file: Path, number: int, account: str | None
) -> Trial:
    """Ask before it costs something, and try a request of a file."""
    if not is_free(engine, account):
        name = account or engine.accounts.default
        provider = engine.account(name).provider_name
        await ask(settings, f"Send request {number:,} to {provider} with account {name}?")
    say(f"Asking {engine.account(account or engine.accounts.default).provider_name} …")
    return await engine.try_row(file, number, account=account)


def trial_document(trial: Trial) -> dict[str, Any]:
    """A tried request and its answer, for scripts."""
    import msgspec

    result = trial.result
    return {
        "custom_id": trial.custom_id,
        "account": trial.account,
        "outcome": result.outcome.value,
        "finish_reason": result.finish_reason,
        "model": result.model,
        "text": result.text,
        "usage": msgspec.to_builtins(result.usage),
        "cost": result.cost,
        "seconds": round(trial.seconds, 3),
        "request": msgspec.json.decode(trial.request),
        "answer": msgspec.json.decode(trial.raw),
    }


def trial_story(trial: Trial) -> list[str]:
    """A tried request and its answer, for a person."""
    from tui.core.text import visible

    result = trial.result
    usage = result.usage
    tokens = ", ".join(
        f"{count:,} {name}"
        for name, count in (("in", usage.input_tokens), ("out", usage.output_tokens))
        if count is not None
    )
    head = pairs(
        {
            "request": trial.custom_id,
            "account": f"{trial.account} ({trial.provider_name})",
            "model": result.model or "",
            "outcome": f"{result.outcome.value} ({result.finish_reason or 'no reason given'})",
            "tokens": tokens,
            "took": f"{trial.seconds:.1f} s",
        }
    )
    lines = [*head, "", "prompt"]
    lines += [f"  {line}" for line in visible(_prompt(trial), newlines=True).split("\n")]
    lines += ["", "answer"]
    return lines + [f"  {line}" for line in visible(result.text, newlines=True).split("\n")]


def _prompt(trial: Trial) -> str:
    """What the request asks, as text: messages with their roles, one below the other."""
    import msgspec

    request = msgspec.json.decode(trial.request)
    body = request.get("body") or request.get("params") or {}
    return "\n\n".join(_texts(body[key]) for key in _PROMPTS if body.get(key))


def _texts(value: Any) -> str:
    import msgspec

    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n\n".join(map(_texts, value))
    if isinstance(value, dict) and ("content" in value or "text" in value):
        role = f"{value['role']}: " if isinstance(value.get("role"), str) else ""
        return role + _texts(value.get("content", value.get("text")))
    return msgspec.json.encode(value).decode()
