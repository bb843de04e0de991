"""Batchdeck: compose, send, watch, read, fix and keep LLM batch jobs."""

__version__ = "0.1.0"
