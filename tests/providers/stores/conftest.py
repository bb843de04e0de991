from tests.fakes.bucket import boto, moto_url
from tests.fakes.gcs import gcs, gcs_process
from tests.fakes.google_sign_in import google_key, sign_in

__all__ = ["boto", "gcs", "gcs_process", "google_key", "moto_url", "sign_in"]
