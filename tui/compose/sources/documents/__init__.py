"""Rows from files that hold values: JSON, YAML, Python literals and tagged records."""
