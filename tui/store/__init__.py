"""The history: jobs, batches, requests and results, in SQLite and plain files.

The files are the source of truth. ``jobs/<job>/requests.jsonl`` is written once, at import,
and never changed. Every batch keeps the bytes that the provider sent, as
``<batch>.output.jsonl`` and ``<batch>.errors.jsonl``. SQLite holds narrow summaries: the
position of each request in its file, and for each result line the outcome, tokens, a short
preview, and its file, offset and length.

A row without a record in ``results`` is pending. A row has at most one record there, the best
of its attempts; the others are in ``attempts``. So the counts of a job always add up to
its requests, however often rows were sent.

``tui.store.history`` is the only door: the rest of the program imports no other module of it,
but for the dataclass of ``export.options``. Apart from readers of the user's own databases and
the sandbox, only this package contains SQL.
"""
