"""Build, check and fix request files: from the user's data to ``requests.jsonl``."""
