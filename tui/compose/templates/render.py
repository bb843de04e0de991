"""Render one row as a request line, with a template that is compiled once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.requests.custom_ids import IdMaker, content_id, row_id
from tui.compose.templates.bodies import SYSTEM, USER, Slot, content_parts, image_url, template_body
from tui.compose.templates.fields import (
    MAX_ROW_CHARACTERS,
    FieldText,
    UnknownFieldError,
    unknown_column,
)
from tui.compose.templates.jinja import as_prompt_text
from tui.compose.templates.model import ROW_HASH, Template, check_template
from tui.core.json_path import apply_settings
from tui.errors import InputError, UsageError

_encode = msgspec.json.Encoder().encode


class Skeleton:
    """A JSON document split at its slots.

    Args:
        document: JSON values, with ``Slot`` objects for values that vary by row.
        constants: The texts of slots, by name, that turn out to be the same in every row.

    Attributes:
        slots: The names of the slots in the order of the line.
    """

    def __init__(self, document: dict[str, Any], *, constants: Mapping[str, str]) -> None:
        secret = secrets.token_hex(12)
        head, *pieces = _encode(_marked(document, secret, constants)).split(f'"{secret}:'.encode())
        self.slots: list[str] = []
        self._pieces = [head]
        for piece in pieces:
            name, _, rest = piece.partition(b'"')
            self.slots.append(name.decode())
            self._pieces += [b"null", rest]
        self._pieces[-1] += b"\n"

    @property
    def fixed(self) -> list[bytes]:
        """The constant parts before, between and after the slots."""
        return self._pieces[::2]

    def line(self, values: list[bytes]) -> bytes:
        r"""Build the line with its ``\n`` from the JSON of each slot, in the order of ``slots``."""
        pieces = self._pieces.copy()
        pieces[1::2] = values
        return b"".join(pieces)


def _marked(value: Any, secret: str, constants: Mapping[str, str]) -> Any:
    if isinstance(value, Slot):
        return constants.get(value.name, f"{secret}:{value.name}")
    if isinstance(value, dict):
        return {key: _marked(inner, secret, constants) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner, secret, constants) for inner in value]
    return value


_ID = Slot("custom_id")


class Renderer:
    """A template compiled for rendering many rows.

    Args:
        template: The template.
        columns: The source's columns. If the template's ``id`` is one of them, or has no
            fields, it names a column.
        base: The folder that relative image paths start from.

    Attributes:
        skeleton: The request line with slots for the id and for each text that varies.
        texts: The texts that fill these slots; ``None`` for a message with images.
        id_column: The column with the id, if any.
        id_text: The text with fields that makes the id, if any.
        hashes_rows: Whether the id is a hash of the row. If it comes from none of these three, it
            is a hash of the content.

    Raises:
        UsageError: The template is invalid, or the path of a setting does not exist.
        InputError: A text is not valid Jinja.
    """

    def __init__(self, template: Template, *, columns: Sequence[str] = (), base: Path) -> None:
        check_template(template)
        self._kind = template.kind
        self._base = base
        syntax = template.syntax
        self._user = FieldText(
            template.user, where="the user message", syntax=syntax, columns=columns
        )
        system = FieldText(
            template.system, where="the system message", syntax=syntax, columns=columns
        )
        if template.cache and not system.is_constant:
            raise UsageError(
                "the system message has fields, so it differs from row to row and cannot be cached",
                "Move the fields to the user message, or remove cache.",
            )
        self._images = [
            FieldText(text, where="an image", syntax=syntax, columns=columns)
            for text in template.images
        ]
        body = template_body(template)
        apply_settings(body, template.settings)
        self.skeleton = Skeleton(
            {"custom_id": _ID, "method": "POST", "url": template.endpoint, "body": body},
            constants={SYSTEM.name: system.text} if system.is_constant else {},
        )
        texts = {SYSTEM.name: system, USER.name: self._user}
        # The first slot is for the id.
        self.texts = [texts.get(name) for name in self.skeleton.slots[1:]]
        self._fillers = [self._fill_content if text is None else text.fill for text in self.texts]
        self.hashes_rows = template.id == ROW_HASH and ROW_HASH not in columns
        names_column = not self.hashes_rows and (template.id in columns or "{" not in template.id)
        self.id_column = template.id if template.id and names_column else None
        self.id_text = (
            None
            if names_column or self.hashes_rows
            else FieldText(template.id, where="the id", syntax=syntax, columns=columns)
        )

    def render(self, row: Mapping[str, Any], number: int, ids: IdMaker) -> bytes:
        r"""Render the request line of one row, with its ``\n``.

        Raises:
            InputError: The row lacks a column, or an image cannot be read; the error names the row.
        """
        values = [b""]
        try:
            for fill in self._fillers:
                values.append(_encode(fill(row, number)))
            if self.id_column is not None:
                value = row[self.id_column]
                custom_id = value if type(value) is str else as_prompt_text(value)
            elif self.id_text is not None:
                custom_id = self.id_text.fill(row, number)
            elif self.hashes_rows:
                custom_id = row_id(map(as_prompt_text, row.values()))
            else:
                custom_id = content_id(values)
        except UnknownFieldError as error:
            raise unknown_column(error.name, row, number, error.where) from None
        except KeyError:
            raise unknown_column(self.id_column or "", row, number, "the id") from None
        except UnicodeEncodeError:
            raise InputError(
                f"row {number}: the request contains a lone surrogate",
                "Replace it in the source.",
                line=number,
            ) from None
        values[0] = b'"%b"' % ids.make(custom_id, number).encode()
        return self.skeleton.line(values)

    def _fill_content(self, row: Mapping[str, Any], number: int) -> list[dict[str, Any]]:
        paths = [image.fill(row, number).strip() for image in self._images]
        urls: list[str] = []
        for path in filter(None, paths):
            urls.append(image_url(path, self._base, number))
            if sum(map(len, urls)) > MAX_ROW_CHARACTERS:
                raise InputError(
                    f"row {number}: its images have more than {MAX_ROW_CHARACTERS:,} characters",
                    "Use smaller images, or addresses of images.",
                    line=number,
                )
        return content_parts(self._kind, self._user.fill(row, number), urls)
