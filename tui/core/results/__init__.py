"""Reading what models answered: result lines, answer bodies and their display."""
