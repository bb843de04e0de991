"""Files that are fetched from addresses, and those that are put there."""
