"""How much room the terminal gives, in steps that the screens know as classes."""

from __future__ import annotations

WIDE = 140
"""Columns from which on Batches and Results stand side by side."""

VERY_WIDE = 180
"""Columns from which on the list of jobs stays beside a row that is read."""

WIDTHS = [(0, "-tiny"), (60, "-narrow"), (100, "-medium"), (WIDE, "-wide")]
"""Columns from which on the screen has a class."""

HEIGHTS = [(0, "-flat"), (16, "-short"), (30, "-tall")]
"""Lines from which on the screen has a class; ``-tall`` has room for strips and previews."""
