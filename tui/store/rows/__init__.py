"""The rows of a job: reading, writing, grouping and comparing them."""
