"""Data frames in and out: rows of pandas, polars, Arrow or dicts, and answers as their columns."""
