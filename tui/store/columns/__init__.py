"""The values of columns, for all rows of a job: read, cached, counted and sorted."""
