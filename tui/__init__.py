"""Batchdeck: compose, submit, monitor and inspect LLM batch jobs."""

__version__ = "0.1.0"
