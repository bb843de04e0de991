from tests.fakes.bucket import boto, moto_url
from tests.fakes.gcs import gcs, gcs_process

__all__ = ["boto", "gcs", "gcs_process", "moto_url"]
