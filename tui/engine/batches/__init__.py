"""The life of a batch: planned, sent, watched, collected, retried, cancelled."""
