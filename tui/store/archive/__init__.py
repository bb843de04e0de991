"""A job as one file: an archive to hand on, and a job of the history again elsewhere."""
