"""Jobs that ran elsewhere: opened from the files of a provider, or from an archive."""
