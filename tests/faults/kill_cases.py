"""Where the program is killed: every step of every command, with each kind of provider."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ROWS = 40
PART = 25

UPLOADING = ("uploading", "upload answered", "uploaded")
CREATING = ("creating", "create answered")
COLLECTING = ("running", "polled", "downloading", "downloaded", "collected", "settled")


@dataclass(frozen=True)
class System:
    """The properties of a provider that matter for the fault tests.

    Attributes:
        like: The provider that the sandbox imitates.
        provider: The profile.
        uploads: Whether a file is uploaded before the create.
        lists: Whether it can list its batches.
        cancels: Whether a batch can be cancelled.
        deletes: Whether files or batches can be deleted.
        in_place: Whether it retries failed rows in the same batch.
        rows: The rows of a job.
        part: The rows of a batch where a job is split.
    """

    like: str
    provider: str
    uploads: bool = True
    lists: bool = True
    cancels: bool = True
    deletes: bool = True
    in_place: bool = False
    rows: int = ROWS
    part: int = PART

    @property
    def sending(self) -> tuple[str, ...]:
        """The steps of submitting a batch."""
        return (*(UPLOADING if self.uploads else ()), *CREATING)


SYSTEMS = (
    System("openai", "openai-compatible"),
    System("scaledown", "scaledown", uploads=False, lists=False, cancels=False, deletes=False),
    System("melious", "melious"),
    System("doubleword", "doubleword", in_place=True),
    System("anthropic", "anthropic", uploads=False),
    System("tensorzero", "tensorzero"),
    System("xai", "xai"),
    System("gemini", "gemini"),
    System("fireworks", "fireworks", cancels=False),
    System("vertex", "vertex"),
    # Its batches have 100 rows at least, also those of a retry.
    System("bedrock", "bedrock", rows=480, part=300),
)


DEDUPED = ("openai", "doubleword", "anthropic", "gemini", "vertex")
"""Where repeats are left out: providers whose result lines differ from each other."""

DISTINCT = 13
"""How many requests are different there."""


DEADLINED = ("openai", "melious", "doubleword", "anthropic", "tensorzero", "xai")
"""Where a deadline ends a batch: what is done is kept, and single requests are taken."""

AT_ONCE = 4
"""Rows that are under way when a program is killed that sends them one by one."""


@dataclass(frozen=True)
class Case:
    """What is done, at which provider, and where the program is killed.

    ``doing`` is ``submit`` (one batch), ``split`` (two), ``retry`` (of flaky rows), ``dedupe``
    (``submit`` with repeats that are not sent), ``again`` (``retry`` of such a job), ``prime``
    (``submit`` of one row, and of the others when it has ended), ``deadline`` (``submit`` of a
    batch that is cut short, and whose other rows are sent one by one), ``cancel`` (of two that
    run), ``delete`` (with what the provider keeps) or ``export``.
    """

    doing: str
    step: str
    system: System

    def __str__(self) -> str:
        return f"{self.doing}-{self.system.like}-{self.step}"

    @property
    def parts(self) -> int:
        """The number of batches of the first attempt."""
        return 2 if self.doing in ("split", "cancel", "prime") else 1

    @property
    def batches(self) -> int:
        """The number of batches that the provider should have at the end."""
        again = self.doing == "again" or (self.doing == "retry" and not self.system.in_place)
        return self.parts + again

    @property
    def dedupes(self) -> bool:
        """Whether each distinct request is sent once."""
        return self.doing in ("dedupe", "again")

    @property
    def flakes(self) -> bool:
        """Whether some rows fail at first, and are retried."""
        return self.doing in ("retry", "again")


def cases_of(system: System) -> Iterator[Case]:
    """All cases with one provider."""
    before = ("checked", "imported", "planned", "confirmed")
    for step in (*before, *system.sending, *COLLECTING):
        yield Case("submit", step, system)
    for step in (*system.sending, *COLLECTING):
        yield Case("split", f"{step}:2", system)
    if system.in_place:
        again: tuple[str, ...] = ("retrying in place", "retry answered")
    else:
        again = ("confirmed", *system.sending)
    for step in ("retry stored", *again, *COLLECTING):
        yield Case("retry", step, system)
    if system.like in DEDUPED:
        for step in (*before, *system.sending, *COLLECTING, "shared"):
            yield Case("dedupe", step, system)
        for step in ("retry stored", "confirmed", *system.sending, *COLLECTING, "shared"):
            yield Case("again", step, system)
    if system.like == "anthropic":
        for step in (*before, *system.sending, *COLLECTING):
            yield Case("prime", step, system)
        for step in (*system.sending, *COLLECTING):
            yield Case("prime", f"{step}:2", system)
    if system.like in DEADLINED:
        for step in ("deadline cut", "cancel noted", "cancelling", "cancel answered"):
            yield Case("deadline", step, system)
        for step in ("collected", "settled", "deadline planned", "deadline stored"):
            yield Case("deadline", step, system)
        for step in ("reserved:2", "confirmed:2", "creating:2", "create answered:2", "running:2"):
            yield Case("deadline", step, system)
        for step in ("deadline sent", "row written", "row written:9"):
            yield Case("deadline", step, system)
    if system.cancels:
        for step in ("cancel noted", "cancelling", "cancel answered", "cancelling:2"):
            yield Case("cancel", step, system)
    if system.deletes:
        yield Case("delete", "deleting there", system)
        yield Case("delete", f"{'file' if system.uploads else 'batch'} deleted there", system)
    yield Case("delete", "deleting here", system)
    for step in ("exporting", "exported"):
        yield Case("export", step, system)


CASES = tuple(case for system in SYSTEMS for case in cases_of(system))

_BY_NAME = {str(case): case for case in CASES}

SHORT = tuple(
    _BY_NAME[name]
    for name in (
        "submit-openai-upload answered",
        "submit-anthropic-create answered",
        "submit-scaledown-create answered",
        "split-tensorzero-uploading:2",
        "split-scaledown-creating:2",
        "split-openai-downloaded:2",
        "retry-melious-create answered",
        "retry-anthropic-settled",
        "retry-doubleword-retry answered",
        "dedupe-openai-shared",
        "again-anthropic-collected",
        "prime-anthropic-create answered",
        "cancel-openai-cancel noted",
        "deadline-openai-deadline stored",
        "delete-tensorzero-file deleted there",
        "submit-xai-create answered",
        "retry-gemini-create answered",
        "split-fireworks-create answered:2",
        "retry-vertex-create answered",
        "submit-bedrock-create answered",
    )
)
"""What runs in the ordinary tests."""
