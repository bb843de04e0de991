"""Answers as data: columns, facets, and what is computed from them."""
