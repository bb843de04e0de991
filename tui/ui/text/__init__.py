"""Jobs, rows and figures as styled text; pure functions."""
