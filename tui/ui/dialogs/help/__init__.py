"""The help: keys and what they do, a search in them and in the pages, and a page to read."""
