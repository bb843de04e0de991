"""How a request line is written for a provider of the files or inline dialect."""

from __future__ import annotations

from typing import Any

import msgspec

from tui.errors import InputError
from tui.providers.wireform import RowForm


class _Request(msgspec.Struct):
    custom_id: msgspec.Raw
    body: msgspec.Raw
    method: msgspec.Raw = msgspec.Raw(b'"POST"')
    url: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Request).decode
_decode_table = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class RowWriter:
    """Writes request lines in the form that a profile wants.

    What is not changed is copied byte for byte, so that numbers and escapes stay as the
    person wrote them.
    """

    def __init__(self, form: RowForm, provider: str) -> None:
        self._form = form
        self._provider = provider
        self._urls = {old: _encode(new) for old, new in form.url_map.items()}

    @property
    def is_identity(self) -> bool:
        """Do all lines stay as they are?"""
        form = self._form
        return form.style == "full" and form.model == "row" and not form.url_map and not form.keep

    def write(self, line: bytes) -> bytes:
        """One request line in the provider's form.

        Raises:
            InputError: The line is no request, or holds what this provider takes only for a
                whole batch.
        """
        if self.is_identity:
            return line
        try:
            request = _decode(line)
            body = self._body(request.body)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InputError(f"A request cannot be read: {error}", "Check the file.") from None
        table: dict[str, Any] = {"custom_id": request.custom_id}
        if self._form.style == "full":
            table["method"] = request.method
            table["url"] = self._url(request.url)
        table["body"] = body
        return _encode(table)

    def _url(self, url: msgspec.Raw) -> msgspec.Raw:
        if not self._urls or not bytes(url):
            return url
        mapped = self._urls.get(_decode_text(url))
        return url if mapped is None else msgspec.Raw(mapped)

    def _body(self, body: msgspec.Raw) -> Any:
        form = self._form
        if form.model == "row" and not form.keep:
            return body
        table = _decode_table(body)
        if form.model == "batch":
            table.pop("model", None)
        if form.keep:
            for name in table:
                if name not in form.keep:
                    raise InputError(
                        f"{self._provider} takes {name!r} only for a whole batch, not in a row",
                        "Leave it out of the rows and set it in create.params of the profile.",
                    )
        return table
