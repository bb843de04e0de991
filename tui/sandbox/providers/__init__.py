"""Façades of real providers, written from their documentation."""
