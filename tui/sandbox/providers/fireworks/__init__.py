"""Fireworks: batch inference jobs over datasets, whose content moves by signed addresses."""
