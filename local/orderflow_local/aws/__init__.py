"""AWS on this machine: ministack is SNS, SQS, DynamoDB, S3, Lambda and HTTP API; the functions run in awslambdaric."""

from orderflow_local.aws.cloud import AwsCloud

__all__ = ["AwsCloud"]
