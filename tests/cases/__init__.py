"""Cases from public reports, run against the program as a user runs it."""
