"""Rows of a job as a file, in several formats; a file is written completely or not at all."""
