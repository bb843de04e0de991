from tests.fakes.bucket import boto, moto_url

__all__ = ["boto", "moto_url"]
