"""Gemini: batches as operations, resumable uploads, and rows of its own form."""
