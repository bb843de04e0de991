"""Reviews of the answers of jobs: a log in the folder of each job, and its index."""
