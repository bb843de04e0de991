"""A step of composing: what stands below the head of the pane."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.message import Message

from tui.ui.failures import TellsFailures

if TYPE_CHECKING:
    from tui.engine.engine import Engine


@dataclass
class Desk:
    """What all steps share: the engine, and what the head of the pane says."""

    engine: Engine | None = None
    account: str = ""
    window: str = ""
    name: str = ""

    @property
    def is_free(self) -> bool:
        """Does the account cost nothing?"""
        return self.engine is not None and self.engine.account(self.account).provider == "sandbox"


class Step(TellsFailures, Vertical):
    """One step; a command that it does not carry out says why in ``why_not``.

    Args:
        desk: What the steps share.
    """

    DEFAULT_CSS = """
    Step { height: 1fr; }
    Step .step-line { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    Step .step-buttons { height: 1; margin-top: 1; }
    Step .step-buttons Button { margin-right: 1; }
    """

    class Redrawn(Message):
        """Posted when commands may have gone on or off."""

    @dataclass
    class Begun(Message):
        """Posted when something is to be opened: the id of a beginning, or a source."""

        what: str

    @dataclass
    class Made(Message):
        """Posted when a step wrote a file of requests; ``submit``: it is to be sent if it can."""

        path: Path
        submit: bool = False

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    @property
    def path(self) -> Path | None:
        """The file of requests that the step is about."""
        return None

    def why_not(self, command_id: str) -> str:
        """Why a command is off; empty when it is on."""
        return "" if hasattr(self, f"do_{command_id}") else "This belongs to another step."

    def do(self, command_id: str) -> None:
        """Carry out a command, or say why not."""
        if reason := self.why_not(command_id):
            self.app.notify(reason, markup=False, timeout=3)
        else:
            getattr(self, f"do_{command_id}")()

    def focus_first(self) -> None:
        """Give the keys to what comes next."""
        self.screen.focus_next()

    def go_back(self) -> bool:
        """Leave something inside the step; false when there is nothing to leave."""
        return False

    def desk_changed(self) -> None:
        """Another account or window was chosen."""
