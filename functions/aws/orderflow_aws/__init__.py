"""orderflow on AWS: adapters of the ports to SNS, SQS, DynamoDB and S3, and the Lambda handlers."""
