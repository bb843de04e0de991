"""Dialogs: modal screens that ask for one thing and return one answer."""
