"""The server for agents, driven by the official client."""
