"""What simulated providers of clouds have in common: buckets of the user, and signed requests."""
