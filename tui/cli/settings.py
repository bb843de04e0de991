"""What one call of the program was told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Settings:
    """The answers to the shared options of one call of the program.

    Attributes:
        home: The folder of ``--home``, ``None`` for the usual places.
        json: Print one JSON document on stdout and narrate on stderr.
        yes: Do not ask.
        demo: Open the dashboard on a throw-away home.
        theme: The colours of the dashboard; empty for what the settings say.
    """

    home: Path | None = None
    json: bool = False
    yes: bool = False
    demo: bool = False
    theme: str = ""
