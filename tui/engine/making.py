"""How requests are made of a source and a template: what a person may say beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

if TYPE_CHECKING:
    from tui.compose.sources.source import Source
    from tui.compose.template import Template


class Making(TypedDict, total=False):
    """How requests are made of a source and a template.

    Attributes:
        model: In place of the template's, or of the requests' own.
        custom_id: In place of the template's ``id``.
        settings: Further fields of the body, by dotted path.
        trusted: A person said that this Python file may be run.
    """

    model: str | None
    custom_id: str | None
    settings: Mapping[str, Any] | None
    trusted: bool


class Ready(NamedTuple):
    """A source that is open; ``model`` and ``settings`` are for requests without a template."""

    source: Source
    template: Template | None
    model: str | None = None
    settings: Mapping[str, Any] | None = None
