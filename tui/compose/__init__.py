"""From what a person has to ``requests.jsonl``: sources, checks and fixes."""
