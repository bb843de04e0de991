"""Work that outlives a pane: submit, retry, export and the like."""
