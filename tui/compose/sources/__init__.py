"""Sources of rows: tables, JSON, texts, databases, Python builders and ready-made requests."""
