"""What is made of the answers of a job: the table of the next job."""
