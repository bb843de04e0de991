"""``providers``: the services that are known, and what each takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import shared
from tui.cli.output import Cell, pairs, print_json, print_lines, table
from tui.cli.settings import Settings
from tui.cli.words import size_words

if TYPE_CHECKING:
    from tui.providers.profile import Profile


@click.command(short_help="The services that are known, and what each takes.")
@click.argument("name", required=False)
@shared
def providers(settings: Settings, name: str | None) -> None:
    """List the providers that are known, or tell all about the provider NAME."""
    from tui.config import load_config
    from tui.paths import Paths
    from tui.providers.profile import find_profile, load_profiles

    own = load_config(Paths.find(settings.home)).providers
    if name is not None:
        profile = find_profile(name, own)
        if settings.json:
            print_json(_document(profile))
        else:
            print_lines(_story(profile))
        return
    profiles = list(load_profiles(own).values())
    if settings.json:
        print_json([_document(profile) for profile in profiles])
    else:
        rows: list[list[Cell | str]] = [
            [profile.id, profile.name, profile.base_url, ", ".join(profile.env)]
            for profile in profiles
        ]
        print_lines(table(("ID", "NAME", "ADDRESS", "KEY IN"), rows, elastic=2))


def _document(profile: Profile) -> dict[str, Any]:
    limits = profile.limits
    return {
        "id": profile.id,
        "name": profile.name,
        "dialect": profile.dialect,
        "base_url": profile.base_url,
        "docs": profile.docs,
        "needs_key": profile.needs_key,
        "key_variables": list(profile.env),
        "endpoints": list(profile.endpoints),
        "windows": list(profile.windows),
        "limits": {
            "rows": limits.rows or None,
            "bytes": limits.bytes or None,
            "line_bytes": limits.line_bytes or None,
            "custom_id_max": limits.custom_id_max or None,
            "one_model": limits.one_model,
        },
        "poll_seconds": [profile.poll.min_seconds, profile.poll.max_seconds],
        "retention_days": profile.retention_days,
        "notes": list(profile.notes),
    }


def _story(profile: Profile) -> list[str]:
    limits = profile.limits
    facts: dict[str, Cell | str] = {
        "provider": Cell(profile.id, "bold"),
        "name": profile.name,
        "address": profile.base_url,
        "key": ", ".join(profile.env) + ("" if profile.needs_key else " (not always needed)"),
        "endpoints": ", ".join(profile.endpoints),
        "windows": ", ".join(profile.windows),
        "rows": f"up to {limits.rows:,} a batch" if limits.rows else "",
        "size": f"up to {size_words(limits.bytes)} a batch" if limits.bytes else "",
        "models": "one for all rows of a batch" if limits.one_model else "",
        "results": f"kept for {profile.retention_days} days" if profile.retention_days else "",
        "docs": profile.docs,
    }
    return [*pairs(facts), *(f"- {note}" for note in profile.notes)]
