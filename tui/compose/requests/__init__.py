"""Facts about request lines that templates and checks share."""
