"""The Compose pane and its steps."""
