"""Commands that print what a reader or an editor looks up: help, settings, man page, completion."""
