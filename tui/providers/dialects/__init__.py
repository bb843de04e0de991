"""The protocols: one module for each family of APIs."""
