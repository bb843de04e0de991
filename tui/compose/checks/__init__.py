"""Check, fix and split files of requests."""
