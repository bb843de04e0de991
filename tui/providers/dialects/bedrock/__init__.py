"""Bedrock: model invocation jobs, whose files are in a bucket of the user's own."""
