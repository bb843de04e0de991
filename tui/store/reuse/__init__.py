"""Answers of earlier jobs to the same requests: an index that finds them, and what copies them."""
