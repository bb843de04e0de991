"""From reviews to labels, to reviews by people, to a judge, to better labels: in a real terminal.

Run it from the top of the repository: ``python -m tests.terminal.reviews_story``. It prints the
keys of each step and the time until its first and its last picture. ``--rows`` sets how many
reviews there are; ``test_reviews_story.py`` runs it with a few.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.terminal.terminal import Terminal

CTRL_S = "\x13"
ESCAPE, END, DOWN, F2, F8 = "\x1b", "\x1b[F", "\x1b[B", "\x1bOQ", "\x1b[19~"
LABELS = ("refund", "delivery", "praise", "question")
ODD = "other"
ODD_SHARE, WRONG_SHARE = 300 / 40_000, 212 / 40_000

TEMPLATE = """\
name = "Label"
kind = "chat"
model = "sandbox-small"
user = '''
Label this review: {text}
{word}
'''
"""
SETTINGS = """\
[review]
name = "anna"
"""


@dataclass(frozen=True)
class Step:
    """A step of the story: its keys, and the seconds to the first and the last picture."""

    name: str
    keys: int
    first: float
    whole: float


@dataclass(frozen=True)
class Size:
    """How many reviews there are, how many have the odd label, and how many of these are wrong."""

    rows: int
    odd: int
    wrong: int

    @classmethod
    def of(cls, rows: int) -> Size:
        """The shares of the story for a number of reviews; at least a few are odd."""
        return cls(rows, max(12, round(rows * ODD_SHARE)), max(8, round(rows * WRONG_SHARE)))


def write_table(path: Path, size: Size) -> None:
    """Write the reviews with their true labels, and the words that make the sandbox answer so."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "truth", "word"])
        every = size.rows // size.odd
        odd = 0
        for number in range(size.rows):
            label = truth = LABELS[number % len(LABELS)]
            if number % every == 0 and odd < size.odd:
                odd += 1
                label = ODD
                truth = LABELS[0] if odd <= size.wrong else ODD
            answer = json.dumps({"label": label, "score": number % 5 + 1})
            text = f"Review {number} about the lamp"
            writer.writerow([f"r{number:05}", text, truth, f"sandbox:say={answer}"])


class Story:
    """The story in one terminal.

    Args:
        folder: An empty folder for the home and the table.
        size: How many reviews there are.
        window: Columns and lines of the terminal.
    """

    def __init__(self, folder: Path, size: Size, window: tuple[int, int] = (120, 36)) -> None:
        self.size = size
        self.steps: list[Step] = []
        home = folder / "home"
        (home / "templates").mkdir(parents=True)
        (home / "templates" / "label.toml").write_text(TEMPLATE)
        (home / "config.toml").write_text(SETTINGS)
        write_table(folder / "reviews.csv", size)
        self.terminal = Terminal(
            "reviews.csv",
            home=folder,
            more={"BATCHDECK_HOME": str(home), "BATCHDECK_SANDBOX_ROWS_PER_SECOND": "0"},
            size=window,
        )

    def step(self, name: str, keys: str, *words: str) -> None:
        """Press keys, and wait until words are on the screen.

        Args:
            name: What is done, for the report.
            keys: The keys.
            words: All of these are seen at the end.
        """
        before = self.terminal.text
        started = time.perf_counter()
        first = 0.0

        def seen(text: str) -> bool:
            nonlocal first
            if not first and text != before:
                first = time.perf_counter() - started
            return all(word in text for word in words)

        if keys:
            self.terminal.press(keys)
        self.terminal.until(seen)
        whole = time.perf_counter() - started
        self.steps.append(Step(name, _count(keys), first or whole, whole))

    def run(self) -> None:
        """All steps, from the table to the accuracy after the retry."""
        self._label()
        self._review()
        self._judge()
        self._retry()
        self.step("leave", "q")
        assert self.terminal.end() == 0

    def _label(self) -> None:
        rows = self.size.rows
        self.step("open the table", "", f"{rows:,} rows", "comma-separated")
        self.step("list the templates", F2, "Templates", "Label")
        self.step("use one", "\r", "tokens in", "Label this review: Review")
        self.step("ask for the price", F8, "Submit reviews?", "free")
        self.step("submit", "y", f"{rows:,}/{rows:,}")
        self.step("open the job", "\r", f"{rows:,} of {rows:,}", "succeeded")

    def _review(self) -> None:
        size = self.size
        sample = min(50, size.odd // 2)
        self.step("count the labels", "f", "Share", ODD)
        self.step("go to the odd one", END, f"▌ {ODD}")
        self.step("show its rows", "\r", f"{size.odd} of {size.rows:,}")
        self.step("ask for a review", "V", "Review answers", f"filtered rows: {size.odd}")
        self.step("review a sample", f"{sample}\r", f"1 of {sample}", "Review")
        verdicts = "".join("n" if number % 3 else "y" for number in range(sample))
        self.step("say right or wrong", verdicts, f"{sample} of {sample} · {sample} done")
        self.step("go back", ESCAPE, f"{size.odd} of {size.rows:,}")

    def _judge(self) -> None:
        size = self.size
        rest = size.odd - min(50, size.odd // 2)
        self.step("those without a review", "/ review:none\r", f"{rest} of {size.rows:,}")
        self.step("a new job of them", "N", f"{rest} rows · ", "The prompt is empty")
        self.step("list the templates", F2, "Templates", "Judge pair")
        self.step("use the judge", DOWN + "\r", "You judge answers", "tokens in")
        self.step("ask for the price", F8, "Submit reviews-next?", "free")
        self.step("submit", "y", f"{rest}/{rest}")

    def _retry(self) -> None:
        """Retry the wrong rows with another prompt, and evaluate before and after."""
        rows, wrong = self.size.rows, self.size.wrong
        self.step("evaluate the labels", "jU", "accuracy", f"{rows - wrong:,} of {rows:,}")
        self.step("show the wrong ones", "e", "differs:in.truth,@label", f"{wrong} of {rows:,}")
        self.step("edit and retry", "R", f"{wrong} rows: the rows shown")
        prompt = f"sandbox:say={json.dumps({'label': LABELS[0], 'score': 3})}"
        self.step("another prompt", f"\t\t\t{prompt}", "+ messages.0")
        self.step("ask for the price", CTRL_S, f"Retry {wrong} rows?", "system text")
        self.step("retry", "y", f"0 of {rows:,}", "No matching rows")
        self.step("all rows", ESCAPE, f"{rows:,} of {rows:,}", "All rows")
        self.step("evaluate", "U", "accuracy 100.0%", f"{rows:,} of {rows:,}")
        self.step("go back", ESCAPE, "All rows")


def _count(keys: str) -> int:
    """The number of keys that somebody presses to type this."""
    for sequence in (F2, F8, END, DOWN):
        keys = keys.replace(sequence, "#")
    return len(keys)


def report(steps: Sequence[Step]) -> str:
    """The steps as a table, with the sum of their keys."""
    lines = [f"{'step':<28} {'keys':>5} {'first':>8} {'whole':>8}"]
    lines += [
        f"{step.name:<28} {step.keys:>5} {step.first * 1000:>5.0f} ms {step.whole:>6.2f} s"
        for step in steps
    ]
    lines.append(f"{'in all':<28} {sum(step.keys for step in steps):>5}")
    return "\n".join(lines)


def main() -> None:
    """Tell the story, and print what each step took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40_000)
    with tempfile.TemporaryDirectory(prefix="batchdeck-story-") as folder:
        story = Story(Path(folder), Size.of(parser.parse_args().rows))
        try:
            story.run()
        finally:
            print(report(story.steps))
            story.terminal.kill()


if __name__ == "__main__":
    main()
