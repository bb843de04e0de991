"""AWS Bedrock: model invocation jobs over objects in a bucket, and rows of each vendor's form."""
