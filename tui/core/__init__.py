"""Domain types and pure functions: no I/O, SQL, HTTP or UI."""
