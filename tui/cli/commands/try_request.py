"""``try``: send one request synchronously, before paying for a batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.input_file import InputFile, local_file
from tui.cli.options import Settings, account_option, max_size_option, shared, yes_option
from tui.cli.output import pairs, print_result, say
from tui.cli.session import confirm, run

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.engine.try_request import TryResult

_PROMPTS = ("system", "instructions", "messages", "input", "prompt", "text")


@click.command("try", short_help="Send one request now and show the answer.")
@click.argument("file", type=InputFile())
@click.option("--line", type=click.IntRange(min=1), default=1, metavar="N",
              help="Number of the request in the file; default: 1.")  # fmt: skip
@account_option
@max_size_option
@yes_option
@shared
def try_request(settings: Settings, file: str, line: int, account: str | None) -> None:
    """Send one request of a FILE to the provider's synchronous endpoint, outside any batch.

    It is charged at the price of a single request and is not stored in the history. As FILE, -
    is standard input.
    """

    async def work(engine: Engine) -> None:
        source = await local_file(engine, file)
        trial = await confirm_and_try(engine, settings, source.path, line, account)
        print_result(settings, lambda: trial_document(trial), lambda: trial_lines(trial))

    run(settings, work)


async def confirm_and_try(
    engine: Engine, settings: Settings, file: Path, number: int, account: str | None
) -> TryResult:
    """Try one request of a file; asks first unless it is free."""
    sender = engine.account(account or engine.accounts.default)
    if not sender.is_free:
        question = f"Send request {number:,} to {sender.provider_name} with account {sender.name}?"
        await confirm(settings, question)
    say(f"Waiting for {sender.provider_name} …")
    return await engine.try_request(file, number, account=sender.name)


def trial_document(trial: TryResult) -> dict[str, Any]:
    """The JSON document of a tried request and its answer."""
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


def trial_lines(trial: TryResult) -> list[str]:
    """The lines of text for a tried request and its answer."""
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
            "outcome": f"{result.outcome.value} ({result.finish_reason or 'no finish reason'})",
            "tokens": tokens,
            "took": f"{trial.seconds:.1f} s",
        }
    )
    lines = [*head, "", "prompt"]
    lines += [f"  {line}" for line in visible(_prompt(trial), newlines=True).split("\n")]
    lines += ["", "answer"]
    return lines + [f"  {line}" for line in visible(result.text, newlines=True).split("\n")]


def _prompt(trial: TryResult) -> str:
    """The prompt of the request as text: one message per paragraph, with its role."""
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
