"""Files at addresses elsewhere: on the web, in datasets of Hugging Face, in buckets."""
