"""Rows to request lines, by a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.fields import FieldText, UnknownFieldError, shown, unknown_column
from tui.compose.ids import IdMaker, content_id
from tui.compose.images import image_url
from tui.compose.settings import apply_settings
from tui.compose.shapes import SYSTEM, USER, Slot, body_of, content_parts
from tui.compose.skeleton import Skeleton
from tui.compose.template import Template, check_template
from tui.errors import InputError

_encode = msgspec.json.Encoder().encode
_ID = Slot("custom_id")


class Renderer:
    """A template made ready for many rows.

    Args:
        template: What to make of a row.
        columns: The source's columns; a template's ``id`` that is one of them, or has no
            fields, means a column.
        base: The folder from which image paths are meant.

    Attributes:
        skeleton: The line with a slot for the id and for each text that differs.
        texts: What fills these slots; ``None`` for a message with images.
        id_column: The column that is the id, if one is.
        id_text: The pattern of the id, if there is one; with neither it comes from the content.

    Raises:
        UsageError: The template cannot be used, or a setting leads nowhere.
        InputError: A text is no correct Jinja.
    """

    def __init__(self, template: Template, *, columns: Sequence[str] = (), base: Path) -> None:
        check_template(template)
        self._kind = template.kind
        self._base = base
        syntax = template.syntax
        self._user = FieldText(template.user, where="the user message", syntax=syntax)
        system = FieldText(template.system, where="the system message", syntax=syntax)
        self._images = [
            FieldText(text, where="an image", syntax=syntax) for text in template.images
        ]
        body = body_of(template)
        apply_settings(body, template.settings)
        self.skeleton = Skeleton(
            {"custom_id": _ID, "method": "POST", "url": template.endpoint, "body": body},
            constants={SYSTEM.name: system.text} if system.is_constant else {},
        )
        texts = {SYSTEM.name: system, USER.name: self._user}
        # The first slot is the id's.
        self.texts = [texts.get(name) for name in self.skeleton.slots[1:]]
        self._fillers = [self._content if text is None else text.fill for text in self.texts]
        names_column = template.id in columns or "{" not in template.id
        self.id_column = template.id if template.id and names_column else None
        self.id_text = (
            None if names_column else FieldText(template.id, where="the id", syntax=syntax)
        )

    def render(self, row: Mapping[str, Any], number: int, ids: IdMaker) -> bytes:
        r"""The request line of one row, with its ``\n``.

        Raises:
            InputError: The row lacks a column, or an image cannot be read; it names the row.
        """
        values = [b""]
        try:
            for fill in self._fillers:
                values.append(_encode(fill(row, number)))
            if self.id_column is not None:
                value = row[self.id_column]
                wanted = value if type(value) is str else shown(value)
            elif self.id_text is not None:
                wanted = self.id_text.fill(row, number)
            else:
                wanted = content_id(values)
        except UnknownFieldError as error:
            raise unknown_column(error.name, row, number, error.where) from None
        except KeyError:
            raise unknown_column(self.id_column or "", row, number, "the id") from None
        except UnicodeEncodeError:
            raise InputError(
                f"row {number}: a text holds half a character (a lone surrogate)",
                "Replace it in the source.",
                line=number,
            ) from None
        values[0] = b'"%b"' % ids.make(wanted, number).encode()
        return self.skeleton.line(values)

    def _content(self, row: Mapping[str, Any], number: int) -> list[dict[str, Any]]:
        places = [image.fill(row, number).strip() for image in self._images]
        urls = [image_url(place, self._base, number) for place in places if place]
        return content_parts(self._kind, self._user.fill(row, number), urls)
