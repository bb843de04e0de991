"""Filters that SQL cannot answer: text search and checks of answers."""
