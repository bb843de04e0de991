"""Widgets of the dashboard, each usable without the others."""
