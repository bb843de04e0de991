"""The virtual table: a list of any length, drawn line by line."""
