"""What requests will cost, may cost and did cost: estimates, budgets and bills."""
