"""Object stores of the user's own, where input files go and results come from."""
