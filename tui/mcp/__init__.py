"""The server for agents (Model Context Protocol, stdio): a face like the command line."""
