"""Properties of an answer that a filter can ask for: each a word, and a test that reads it.

To add one, put a word and a test into ``CHECKS``; ``tui.core.querykeys`` names the words that
a person may type.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tui.core.filtering import RowSelection
from tui.core.outcome import ANSWERED
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.verdicts import Verdict
    from tui.store.history import History
    from tui.store.searching import Stop, Tell

_PAGE = 500

AnswerCheck = Callable[["History", str, Sequence[int]], Iterable[int]]
"""Takes a history, a job and some rows of it; gives those that pass, in the order asked."""


def _is_json(history: History, job_id: str, seqs: Sequence[int], *, wanted: bool) -> list[int]:
    """Rows whose answer is JSON, an object or an array, or is not; others have no answer."""
    lines = history.row_lines(job_id, RowSelection(seqs=seqs, total=len(seqs)))
    return [
        seq
        for seq, line in zip(seqs, lines, strict=False)
        if line.outcome in ANSWERED and (line.data is not None) is wanted
    ]


def _fits(history: History, job_id: str, seqs: Sequence[int], *, wanted: bool) -> list[int]:
    """Rows whose answer fits the schema that its request names, or does not."""
    from tui.core.verdicts import Verdict
    from tui.store.verdicts import schema_verdicts

    passing: tuple[Verdict, ...]
    passing = (Verdict.FITS,) if wanted else (Verdict.MISFITS, Verdict.NOT_JSON)
    each = schema_verdicts(history, job_id, seqs).each
    return [seq for seq, verdict in zip(seqs, each, strict=False) if verdict in passing]


CHECKS: dict[str, AnswerCheck] = {
    "json:ok": partial(_is_json, wanted=True),
    "json:bad": partial(_is_json, wanted=False),
    "schema:ok": partial(_fits, wanted=True),
    "schema:bad": partial(_fits, wanted=False),
}
"""Word to check."""


class AnswerSearch:
    """Finds the rows whose answer passes a check.

    Args:
        history: Where the job is.
        job_id: The job.
        word: The check.

    Raises:
        UsageError: The word is not known.
    """

    def __init__(self, history: History, job_id: str, word: str) -> None:
        if word not in CHECKS:
            raise UsageError(f"{word} cannot be asked for", f"Known are {', '.join(CHECKS)}.")
        self._check = partial(CHECKS[word], history, job_id)

    def among(
        self,
        seqs: Sequence[int],
        total: int,
        *,
        stop: Stop | None = None,
        tell: Tell | None = None,
    ) -> array[int]:
        """Those of the rows that pass, in the order given; see ``TextSearch.among``."""
        found: array[int] = array("q")
        for start in range(0, len(seqs), _PAGE):
            if stop is not None and stop():
                break
            found.extend(self._check(seqs[start : start + _PAGE]))
            if tell is not None:
                tell(lambda: found[:], len(found))
        return found
