"""The Results pane."""
