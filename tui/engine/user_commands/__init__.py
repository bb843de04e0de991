"""Programs that the user names in ``config.toml``: hooks and actions."""
