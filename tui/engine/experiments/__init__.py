"""Experiments: several models and templates over one table."""
