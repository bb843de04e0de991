"""Reviews of answers by people: one review, the log of a job, and how far reviewers agree."""
