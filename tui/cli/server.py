"""``sandbox serve``: the provider of this machine, on a port for other programs."""

from __future__ import annotations

import click

from tui.cli.options import shared
from tui.cli.output import print_json, print_lines
from tui.cli.settings import Settings
from tui.errors import UsageError


@click.group(short_help="The provider that runs on this machine.")
def sandbox() -> None:
    """The provider that runs on this machine, with a simulated model and without a key."""


@sandbox.command()
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port; 0 is any."
)
@click.option("--like", default="openai", metavar="PROFILE", help="Whose wire behaviour to speak.")
@click.option(
    "--rows-per-second", type=float, default=2000.0, metavar="N", help="Speed; 0 is at once."
)
@click.option("--key", metavar="KEY", help="Answer 401 to calls without this key.")
@click.option("--fail-rate", type=float, default=0.0, metavar="SHARE", help="0 to 1 of the rows.")
@click.option("--seed", type=int, default=0, metavar="N", help="Changes answers and failures.")
@click.option(
    "--lose-answer",
    multiple=True,
    metavar="ROUTE[:N]",
    help="Act, then drop the connection; N times. May be given again.",
)
@click.option("--quirk", multiple=True, metavar="NAME[:N]", help="A fault of one dialect.")
@click.option(
    "--window-seconds", type=float, metavar="N", help="End every batch's window after N seconds."
)
@shared
def serve(
    settings: Settings,
    host: str,
    port: int,
    like: str,
    rows_per_second: float,
    key: str | None,
    fail_rate: float,
    seed: int,
    lose_answer: tuple[str, ...],
    quirk: tuple[str, ...],
    window_seconds: float | None,
) -> None:
    """Serve a sandbox until Ctrl-C; the first line on stdout is its address.

    The state is kept in the folder of --home, else in one that goes when the server stops.
    """
    from tui.sandbox.options import SandboxOptions
    from tui.sandbox.serve import serve as run_server

    try:
        options = SandboxOptions(
            home=settings.home,
            like=like,
            rows_per_second=rows_per_second,
            key=key,
            fail_rate=fail_rate,
            seed=seed,
            lose_answer=lose_answer,
            quirks=quirk,
            window_seconds=window_seconds,
        )
    except ValueError as error:
        raise UsageError(str(error), "See `batchdeck sandbox serve --help`.") from None

    def announce(address: str) -> None:
        if settings.json:
            print_json({"url": address})
        else:
            print_lines([address])

    try:
        run_server(options, host=host, port=port, announce=announce)
    except OSError as error:
        raise UsageError(
            f"{host} port {port} cannot be used: {error.strerror or error}",
            "Name another --port, or 0 for any that is free.",
        ) from error
