"""Images of strangers as half cells: right colours, and nothing that is broken or huge."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from tui.ui.models.half_cells import draw

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    file = BytesIO()
    image.save(file, form)
    return file.getvalue()


def flag(mode: str = "RGB") -> Image.Image:
    """Two lines of red above one of blue, 3 pixels wide."""
    image = Image.new("RGB", (3, 3), RED)
    image.paste(BLUE, (0, 2, 3, 3))
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_cell_is_two_pixels(mode: str) -> None:
    drawn = draw(encoded(flag(mode)), 80, 24)
    assert drawn is not None
    assert (drawn.width, drawn.height) == (3, 2)
    assert drawn.cell(2, 0) == (RED, RED)
    # The image has an odd number of lines.
    assert drawn.cell(0, 1) == (BLUE, (0, 0, 0))


def test_an_image_is_scaled_into_its_place() -> None:
    drawn = draw(encoded(Image.new("RGB", (1000, 500), GREEN), "JPEG"), 40, 24)
    assert drawn is not None
    assert (drawn.width, drawn.height) == (40, 10)
    wide = draw(encoded(Image.new("L", (10, 1000))), 40, 24)
    assert wide is not None and (wide.width, wide.height) == (1, 24)


def test_what_is_transparent_is_black() -> None:
    drawn = draw(encoded(Image.new("RGBA", (2, 2), (*RED, 0))), 10, 10)
    assert drawn is not None and drawn.cell(0, 0) == ((0, 0, 0), (0, 0, 0))


def bomb(width: int, height: int) -> bytes:
    """A small PNG file that says that it is huge."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        summed = zlib.crc32(kind + body)
        return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", summed)

    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        encoded(flag())[:40],
        encoded(flag(), "GIF")[:20],
        bomb(60_000, 60_000),
        bomb(9_000, 9_000),
    ],
    ids=["empty", "text", "cut", "cut gif", "bomb", "large bomb"],
)
def test_what_cannot_be_decoded_is_not_drawn(data: bytes) -> None:
    assert draw(data, 80, 24) is None
