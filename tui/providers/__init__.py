"""Clients for batch APIs: a profile describes a provider, a dialect implements its wire protocol.

This package depends on neither the history nor the UI. ``connect`` returns the dialect for a
profile.
"""
