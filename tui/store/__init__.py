"""The history: what was asked for, sent, answered and kept, in SQLite and plain files.

The files are the truth. ``jobs/<job>/requests.jsonl`` is written once, at import, and never
changed. Every batch keeps the bytes that the provider sent, as ``<batch>.output.jsonl`` and
``<batch>.errors.jsonl``. SQLite holds narrow summaries: for each request its place in the
file, for each result line its outcome, tokens, a short preview, and file, offset and length.

A row without a line in ``results`` is pending. A row has at most one line there, the best
of its attempts; the others stand in ``attempts``. So the counts of a job always add up to
its requests, however often rows were sent.

Only this package speaks SQL. It imports ``tui.core`` and ``tui.errors`` and nothing else of
the program.
"""
