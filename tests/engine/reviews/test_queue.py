from __future__ import annotations

from tui.engine.reviews.queue import ReviewQueue


def a_queue(seqs: list[int], answered: list[int], labelled: list[int]) -> ReviewQueue:
    return ReviewQueue("job", "anna", seqs, answered=answered, labelled=labelled)


def test_it_goes_on_with_the_first_row_that_is_open() -> None:
    queue = a_queue([5, 3, 8, 1], answered=[1, 3, 5, 9], labelled=[5])
    assert (len(queue), queue.done, queue.open, queue.without_answer) == (4, 1, 2, 1)
    assert queue.next_open() == 1
    queue.mark(1, done=True)
    assert queue.next_open(2) == 3
    queue.mark(3, done=True)
    assert queue.next_open(2) is None and queue.done == 3
    queue.mark(1, done=False)
    assert queue.next_open(2) == 1, "skipped rows come again"


def test_an_empty_queue() -> None:
    queue = a_queue([], [1], [1])
    assert (len(queue), queue.next_open()) == (0, None)
