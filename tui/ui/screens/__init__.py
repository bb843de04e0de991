"""The main screen with its three panes, and the screens for summary and comparison."""
