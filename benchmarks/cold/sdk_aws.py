"""The SDK alone: boto3, and its clients of DynamoDB and SNS, which call nothing."""

from __future__ import annotations

import boto3

from benchmarks.cold.done import done

boto3.client("dynamodb")
boto3.client("sns")
done()
