"""``sandbox serve``: run the sandbox as an HTTP server for other programs."""

from __future__ import annotations

import click

from tui.cli.options import Settings, shared
from tui.cli.output import print_result
from tui.errors import UsageError


@click.group(short_help="Run a simulated provider on this machine.")
def sandbox() -> None:
    """The sandbox: a provider on this machine with a simulated model; it needs no key."""


@sandbox.command()
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N",
              help="Port; 0 picks a free one.")  # fmt: skip
@click.option("--like", default="openai", metavar="PROFILE", help="Provider to imitate.")
@click.option("--region", default="us-east-1", metavar="REGION",
              help="Region of a cloud and of its buckets.")  # fmt: skip
@click.option("--rows-per-second", type=float, default=2000.0, metavar="N",
              help="Processing speed; 0 is unlimited.")  # fmt: skip
@click.option("--key", metavar="KEY", help="Answer 401 to requests without this key.")
@click.option(
    "--fail-rate", type=float, default=0.0, metavar="SHARE", help="Share of rows that fail, 0 to 1."
)
@click.option("--seed", type=int, default=0, metavar="N", help="Seed for answers and failures.")
@click.option(
    "--lose-answer",
    multiple=True,
    metavar="ROUTE[:N]",
    help="Process the request, then drop the connection, N times; can be repeated.",
)
@click.option("--quirk", multiple=True, metavar="NAME[:N]",
              help="Enable a fault of a dialect; can be repeated.")  # fmt: skip
@click.option("--window-seconds", type=float, metavar="N",
              help="End the window of every batch after N seconds.")  # fmt: skip
@click.option("--late-file", type=float, default=0.0, metavar="N",
              help="Name result files N seconds after the end of a batch.")  # fmt: skip
@click.option("--stale-list", is_flag=True, help="List batches as they were when created.")
@click.option("--signed-results", is_flag=True,
              help="Redirect results to a signed address that refuses keys.")  # fmt: skip
@click.option("--unknown-word", default="", metavar="WORD", help="End batches with this status.")
@shared
def serve(
    settings: Settings,
    host: str,
    port: int,
    like: str,
    region: str,
    rows_per_second: float,
    key: str | None,
    fail_rate: float,
    seed: int,
    lose_answer: tuple[str, ...],
    quirk: tuple[str, ...],
    window_seconds: float | None,
    late_file: float,
    stale_list: bool,
    signed_results: bool,
    unknown_word: str,
) -> None:
    """Run a sandbox server until Ctrl-C; the first line on stdout is its URL.

    Clouds whose files are in buckets (Bedrock, Vertex AI) have buckets of their own here: the URL
    is the base URL of an account, and its params.endpoint_url.

    State is stored in the folder of --home, else in a temporary folder that is deleted when the
    server stops.
    """
    from tui.sandbox.options import SandboxOptions
    from tui.sandbox.serve import serve as run_server

    try:
        options = SandboxOptions(
            home=settings.home,
            like=like,
            region=region,
            rows_per_second=rows_per_second,
            key=key,
            fail_rate=fail_rate,
            seed=seed,
            lose_answer=lose_answer,
            quirks=quirk,
            window_seconds=window_seconds,
            late_file=late_file,
            stale_list=stale_list,
            signed_results=signed_results,
            unknown_word=unknown_word,
        )
    except ValueError as error:
        raise UsageError(str(error), "See `batchdeck sandbox serve --help`.") from None

    def announce(address: str) -> None:
        print_result(settings, lambda: {"url": address}, lambda: [address])

    try:
        run_server(options, host=host, port=port, announce=announce)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            "Use another --port, or 0 for a free one.",
        ) from error
