"""State behind panes and dialogs, without widgets."""
