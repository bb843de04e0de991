"""The dashboard: the only part of the program that knows of Textual."""

import os

# Textual reads it when it is imported. At its own 60 frames a second, a key that follows on
# another repaint is seen up to two frames, 33 ms, later.
os.environ.setdefault("TEXTUAL_FPS", "120")
