"""The dashboard. This is the only package that imports Textual."""

import os

# Textual reads this when it is imported. At its default of 60 frames a second, a key pressed
# right after a repaint can take two frames (33 ms) to show.
os.environ.setdefault("TEXTUAL_FPS", "120")
