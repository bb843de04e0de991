"""The user's configuration: settings and API keys."""
