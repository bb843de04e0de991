"""Services that run batches: profiles are data, dialects are code.

Nothing here knows of the history or a screen. ``connect`` gives the dialect for a profile.
"""
