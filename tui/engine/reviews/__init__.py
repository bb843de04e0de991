"""Reviews: queues of rows for reviewers, samples of rows, and labels from files."""
