"""Commands that read the answers of whole jobs: counted, summarised, compared."""
