locals {
  table_arns = {
    for collection in keys(var.collections) :
    collection => "arn:${var.scope.partition}:dynamodb:${var.scope.region}:${var.scope.account_id}:table/${var.name}-${collection}"
  }
}

# The layout is orderflow_aws.store's: a document is one JSON string, beside it only what DynamoDB itself must see.
resource "aws_dynamodb_table" "this" {
  for_each = var.collections

  name                        = "${var.name}-${each.key}"
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.deletion_protection
  hash_key                    = "key"

  dynamic "attribute" {
    for_each = concat(
      ["key"],
      flatten([for index in each.value.indexes : ["${index}_partition", "${index}_sort"]]),
    )

    content {
      name = attribute.value
      type = "S"
    }
  }

  # Documents found by an index are read again, consistently: the index needs the keys only.
  dynamic "global_secondary_index" {
    for_each = each.value.indexes

    content {
      name            = global_secondary_index.value
      hash_key        = "${global_secondary_index.value}_partition"
      range_key       = "${global_secondary_index.value}_sort"
      projection_type = "KEYS_ONLY"
    }
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true # With the key that AWS manages in this account (alias/aws/dynamodb).
  }

  dynamic "ttl" {
    for_each = each.value.ttl ? ["expires_at"] : []

    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }
}
