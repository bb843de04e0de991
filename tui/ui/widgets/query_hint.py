"""The line below the filter that teaches its words, and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widget import Widget
from textual.widgets import Static

from tui.core.querying import completions, key_at_end, read_query
from tui.core.text import one_line
from tui.ui.tones import Part, content

_EXAMPLES = (
    "outcome:failed", "code:429", "tokens:>500", "length:<20", "attempt:2", "finish:length",
    "json:bad", "re:refund.*", "id:rev-*", "cost:>0.01",
)  # fmt: skip
_MOST = 12


class QueryHint(Static):
    """One line; not there when there is nothing to say."""

    DEFAULT_CSS = """
    QueryHint {
        height: 1; padding: 0 1; display: none; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)

    def teach(self, text: str) -> None:
        """Say how a query that is being typed may go on, or what is wrong with it."""
        problems = read_query(text).problems
        choices = completions(text)
        key = key_at_end(text)
        # A word that is not finished is no mistake yet.
        if problems and not choices:
            first = problems[0]
            parts: list[Part] = [(one_line(first.message, 110), "warn")]
            if first.meant:
                parts += [("   tab ", "accent"), (one_line(first.meant, 60), "")]
        elif choices:
            parts = [("tab ", "accent"), (self._fitting(choices[:_MOST], 4), "")]
        elif key is not None:
            parts = [(key.help, ""), ("   as in ", "muted"), (key.example, "accent")]
        else:
            parts = [("words, or ", "muted"), (self._fitting(_EXAMPLES, 10), "")]
        self._show(parts)

    def _fitting(self, words: Sequence[str], before: int) -> str:
        """As many words as fit behind ``before`` cells: half a word teaches nothing."""
        # What is not shown yet has no size; what it stands in has one.
        around = self.parent.content_size.width if isinstance(self.parent, Widget) else 0
        width = around - self.gutter.width - before
        kept = list(words[:1])
        for word in words[1:]:
            if len("  ".join([*kept, word])) > width:
                break
            kept.append(word)
        return "  ".join(kept)

    def complain(self, message: str) -> None:
        """Say what went wrong."""
        self._show([(one_line(message, 200), "warn")])

    def hush(self) -> None:
        """Take no room."""
        self.display = False

    def _show(self, parts: list[Part]) -> None:
        self.update(content(parts), layout=False)
        self.display = True
