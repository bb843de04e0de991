"""Dialogs about the table of rows: its columns, derived columns, views."""
