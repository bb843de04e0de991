"""HTTP: the client, its retries, uploads and downloads, and its errors."""
