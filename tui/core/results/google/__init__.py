"""Answers and result lines of the batch APIs of Google."""
