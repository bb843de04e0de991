"""Images as half cells: each cell of the terminal shows two pixels, one above the other.

They need nothing of the terminal but colours. A stranger's image is decoded by a child process
that the kernel ends when it takes too long or too much memory. The decoder is Pillow, of the extra
``images``.
"""

from __future__ import annotations

import importlib.util
import struct
import warnings
from dataclasses import dataclass
from io import BytesIO

from tui.limited_process import LimitedProcess, LimitReachedError, ProcessLostError

_SIZE = struct.Struct("!II")
_SECONDS = 5.0
_MEMORY = 512 << 20
_MOST_BYTES = 64 << 20
_MOST_PIXELS = 64_000_000
"""Images with more are not drawn; a photo of a large camera has 60 million."""

_decoder = LimitedProcess("tui.ui.models.half_cells", memory=_MEMORY, most_idle=1)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class HalfCells:
    """A drawn image.

    Attributes:
        width: Its width in cells.
        pixels: Three bytes for each pixel, row by row; the number of rows is even.
    """

    width: int
    pixels: bytes

    @property
    def height(self) -> int:
        """Its height in cells."""
        return len(self.pixels) // (6 * self.width)

    def cell(self, x: int, y: int) -> tuple[Colour, Colour]:
        """The colours of the upper and the lower half of a cell."""
        upper = 3 * (2 * y * self.width + x)
        lower = upper + 3 * self.width
        red, green, blue = self.pixels[upper : upper + 3]
        low_red, low_green, low_blue = self.pixels[lower : lower + 3]
        return (red, green, blue), (low_red, low_green, low_blue)


def can_draw() -> bool:
    """Whether the decoder is installed."""
    return importlib.util.find_spec("PIL") is not None


def draw(data: bytes, columns: int, lines: int) -> HalfCells | None:
    """Draw an image as large as it fits; ``None`` if it cannot be decoded. Blocking.

    Args:
        data: The file of the image.
        columns: The cells of a line.
        lines: The lines.
    """
    if not data or len(data) > _MOST_BYTES or columns < 1 or lines < 1:
        return None
    try:
        made = _decoder.call((data, columns, lines), seconds=_SECONDS)
    except (LimitReachedError, ProcessLostError):
        return None
    if not made:
        return None
    width, _ = _SIZE.unpack_from(made)
    return HalfCells(width, made[_SIZE.size :])


def answer(request: tuple[bytes, int, int]) -> bytes:
    """Decode and scale an image, in the child process: its size, then its pixels.

    Empty if it is no image, or one that is damaged or too large.
    """
    from PIL import Image

    data, columns, lines = request
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data)) as opened:
                # Colours of a palette cannot be mixed when the image is scaled.
                image = opened.convert("RGBA") if opened.mode in ("1", "P") else opened
                image.thumbnail((columns, 2 * lines))
                image = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning):
        return b""
    width, height = image.size
    # What is transparent is black, and the last line has both of its halves.
    drawn = Image.new("RGB", (width, height + height % 2))
    drawn.paste(image, mask=image)
    return _SIZE.pack(*drawn.size) + drawn.tobytes()
