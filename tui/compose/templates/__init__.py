"""How a row of a source becomes a request."""
