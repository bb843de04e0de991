"""Vertex AI: batch prediction jobs over objects in a bucket, with rows by the model's publisher."""
