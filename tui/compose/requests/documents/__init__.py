"""Values that files hold, and the documents that are known by their names."""
