"""Commands for agents: what to tell them, and the server that they use."""
