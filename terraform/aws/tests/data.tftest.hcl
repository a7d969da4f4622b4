# Documents and objects: as the adapters want them, encrypted, not public, and not gone by mistake.

mock_provider "aws" {}

variables {
  name = "orders-dev"
  scope = {
    account_id = "123456789012"
    partition  = "aws"
    region     = "eu-west-1"
  }
}

run "a_table_is_as_the_store_expects_it" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    deletion_protection = true
    collections = {
      orders   = { indexes = ["customer", "due"], ttl = false }
      attempts = { indexes = [], ttl = true }
    }
  }

  assert {
    condition     = alltrue([for table in values(aws_dynamodb_table.this) : table.hash_key == "key" && table.range_key == null])
    error_message = "orderflow_aws.store finds documents by the hash key `key`."
  }

  assert {
    condition = {
      for index in aws_dynamodb_table.this["orders"].global_secondary_index : index.name => "${index.hash_key} ${index.range_key} ${index.projection_type}"
      } == {
      customer = "customer_partition customer_sort KEYS_ONLY"
      due      = "due_partition due_sort KEYS_ONLY"
    }
    error_message = "orderflow_aws.store queries other indexes."
  }

  assert {
    condition     = toset(aws_dynamodb_table.this["orders"].attribute[*].name) == toset(["key", "customer_partition", "customer_sort", "due_partition", "due_sort"])
    error_message = "DynamoDB wants exactly the attributes that keys use."
  }

  assert {
    condition     = aws_dynamodb_table.this["attempts"].ttl[0].attribute_name == "expires_at" && length(aws_dynamodb_table.this["orders"].ttl) == 0
    error_message = "Only documents that carry no order may expire."
  }

  assert {
    condition     = alltrue([for table in values(aws_dynamodb_table.this) : table.billing_mode == "PAY_PER_REQUEST" && table.point_in_time_recovery[0].enabled && table.server_side_encryption[0].enabled])
    error_message = "Every table is on demand, encrypted, and can be restored to any second."
  }

  assert {
    condition     = alltrue([for table in values(aws_dynamodb_table.this) : table.deletion_protection_enabled])
    error_message = "deletion_protection must reach every table."
  }
}

run "a_bucket_is_closed" {
  command = plan

  module {
    source = "./modules/objects"
  }

  variables {
    buckets             = ["archive", "drop"]
    deletion_protection = true
    drops               = { drop = "arn:aws:sqs:eu-west-1:123456789012:orders-dev-files" }
    log_groups          = { archive = "/aws/kinesisfirehose/orders-dev-archive" }
    role_boundary_arn   = null
    sinks               = { archive = { bucket = "archive", every_s = 300, prefix = "events/" } }
    topic_arn           = "arn:aws:sns:eu-west-1:123456789012:orders-dev-events"
  }

  assert {
    condition = alltrue([
      for block in values(aws_s3_bucket_public_access_block.this) :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "A bucket could be made public."
  }

  assert {
    condition = alltrue(flatten([
      for bucket in values(aws_s3_bucket_policy.this) : [
        for statement in jsondecode(bucket.policy).Statement : statement.Effect == "Deny" && statement.Condition.Bool["aws:SecureTransport"] == "false"
      ]
    ]))
    error_message = "A bucket's policy must refuse what does not come by TLS, and allow nothing."
  }

  assert {
    condition     = alltrue([for encryption in values(aws_s3_bucket_server_side_encryption_configuration.this) : one(encryption.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"])
    error_message = "A bucket is not encrypted at rest."
  }

  assert {
    condition     = alltrue([for bucket in values(aws_s3_bucket.this) : !bucket.force_destroy])
    error_message = "deletion_protection must keep buckets that are not empty."
  }

  assert {
    condition     = keys(aws_s3_bucket_lifecycle_configuration.this) == ["archive", "drop"] && keys(aws_s3_bucket_notification.this) == ["drop"]
    error_message = "Every bucket has a lifecycle; only dropped files are told of."
  }

  assert {
    condition = (
      aws_kinesis_firehose_delivery_stream.this["archive"].extended_s3_configuration[0].buffering_interval == 300
      && aws_kinesis_firehose_delivery_stream.this["archive"].extended_s3_configuration[0].prefix == "events/!{timestamp:yyyy/MM/dd}/"
      && aws_kinesis_firehose_delivery_stream.this["archive"].extended_s3_configuration[0].processing_configuration[0].processors[0].type == "AppendDelimiterToRecord"
    )
    error_message = "The archive is JSON lines below a date, each event in it after at most every_s."
  }
}

run "without_protection_data_goes_with_its_deployment" {
  command = plan

  module {
    source = "./modules/objects"
  }

  variables {
    buckets             = ["archive"]
    deletion_protection = false
    drops               = {}
    log_groups          = {}
    role_boundary_arn   = null
    sinks               = {}
    topic_arn           = "arn:aws:sns:eu-west-1:123456789012:orders-dev-events"
  }

  assert {
    condition     = aws_s3_bucket.this["archive"].force_destroy
    error_message = "A development stack must be destroyable without emptying buckets by hand."
  }
}

run "a_sink_slower_than_firehose_buffers_is_refused" {
  command = plan

  module {
    source = "./modules/objects"
  }

  variables {
    buckets             = ["archive"]
    deletion_protection = false
    drops               = {}
    log_groups          = {}
    role_boundary_arn   = null
    sinks               = { archive = { bucket = "archive", every_s = 901, prefix = "events/" } }
    topic_arn           = "arn:aws:sns:eu-west-1:123456789012:orders-dev-events"
  }

  expect_failures = [var.sinks]
}
