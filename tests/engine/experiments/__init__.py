"""Experiments: making, sending and comparing their jobs."""
