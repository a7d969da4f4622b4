# Messaging invariants that decide whether a message is lost, doubled or seen by somebody else.

mock_provider "aws" {}

variables {
  name       = "orders-dev"
  topic_name = "events"
  scope = {
    account_id = "123456789012"
    partition  = "aws"
    region     = "eu-west-1"
  }
  queues = {
    fraud = { broker_max_deliveries = 100, filter = { kind = ["OrderPlaced"], tier = ["high"] }, lock_s = 180, timeout_s = 30 }
    audit = { broker_max_deliveries = 100, lock_s = 180, timeout_s = 30 }
    files = { broker_max_deliveries = 50, bucket_arn = "arn:aws:s3:::orders-dev-drop", lock_s = 300, timeout_s = 50 }
  }
}

run "a_message_is_neither_lost_nor_doubled" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition     = aws_sqs_queue.this["fraud"].visibility_timeout_seconds >= 6 * 30
    error_message = "A message must stay hidden for six times the function's time-out."
  }

  assert {
    condition     = aws_sqs_queue.dead_letter["fraud"].message_retention_seconds > aws_sqs_queue.this["fraud"].message_retention_seconds
    error_message = "A dead letter keeps its age: it must be kept for longer than in its queue, or it is gone at once."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this["fraud"].redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:orders-dev-fraud-dlq"
      maxReceiveCount     = 100
    }
    error_message = "What SQS gives up must go into the service's own dead-letter queue."
  }

  assert {
    condition     = jsonencode(jsondecode(aws_sqs_queue.dead_letter["fraud"].redrive_allow_policy)) == jsonencode({ redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:eu-west-1:123456789012:orders-dev-fraud"] })
    error_message = "Another queue must not use this dead-letter queue."
  }

  assert {
    condition     = aws_sqs_queue.dead_letter["fraud"].max_message_size > 256 * 1024
    error_message = "A dead letter is larger than the message that it was: its reason comes on top."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.this["fraud"].redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-west-1:123456789012:orders-dev-fraud-dlq"
    error_message = "What SNS cannot deliver must not be lost."
  }
}

run "a_subscription_hands_on_the_event_as_it_is" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition     = alltrue([for subscription in values(aws_sns_topic_subscription.this) : subscription.raw_message_delivery])
    error_message = "The adapters read raw messages: in SNS's wrapping the attributes are missing."
  }

  assert {
    condition     = keys(aws_sns_topic_subscription.this) == ["audit", "fraud"]
    error_message = "A queue that hears of a bucket's objects must not hear the topic."
  }

  assert {
    condition     = aws_sns_topic_subscription.this["audit"].filter_policy == null && aws_sns_topic_subscription.this["fraud"].filter_policy_scope == "MessageAttributes"
    error_message = "Filters are on attributes; who has none hears everything."
  }
}

run "only_its_source_may_send_and_only_encrypted" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition     = jsonencode(jsondecode(aws_sqs_queue_policy.this["fraud"].policy).Statement[0].Condition) == jsonencode({ ArnEquals = { "aws:SourceArn" = "arn:aws:sns:eu-west-1:123456789012:orders-dev-events" } })
    error_message = "A queue must take messages from its topic only."
  }

  assert {
    condition = jsonencode(jsondecode(aws_sqs_queue_policy.this["files"].policy).Statement[0].Condition) == jsonencode({
      ArnEquals    = { "aws:SourceArn" = "arn:aws:s3:::orders-dev-drop" }
      StringEquals = { "aws:SourceAccount" = "123456789012" }
    })
    error_message = "A queue of files must take notifications of this account's bucket only."
  }

  assert {
    condition = alltrue(flatten([
      for queue in concat(values(aws_sqs_queue_policy.this), values(aws_sqs_queue_policy.dead_letter)) : [
        for statement in jsondecode(queue.policy).Statement : statement.Principal != "*" if statement.Effect == "Allow"
      ]
    ]))
    error_message = "A queue is open to everybody."
  }

  assert {
    condition     = alltrue([for queue in concat(values(aws_sqs_queue.this), values(aws_sqs_queue.dead_letter)) : queue.sqs_managed_sse_enabled])
    error_message = "A queue is not encrypted at rest."
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == "alias/aws/sns"
    error_message = "The topic is not encrypted at rest."
  }
}

run "without_an_ordered_service_nothing_is_fifo" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition     = length(aws_sns_topic.ordered) == 0 && output.ordering.topic_arn == null && !anytrue([for queue in values(aws_sqs_queue.this) : coalesce(queue.fifo_queue, false)])
    error_message = "Something is ordered that nobody asked for."
  }
}

run "an_ordered_service_hears_a_fifo_topic_through_a_fifo_queue_and_the_others_the_topic_as_ever" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = {
      fraud = { broker_max_deliveries = 100, filter = { kind = ["OrderPlaced"], tier = ["high"] }, lock_s = 180, ordered = true, timeout_s = 30 }
      audit = { broker_max_deliveries = 100, lock_s = 180, timeout_s = 30 }
    }
  }

  override_resource {
    target          = aws_sns_topic.ordered
    override_during = plan
    values          = { arn = "arn:aws:sns:eu-west-1:123456789012:orders-dev-events-ordered.fifo" }
  }

  assert {
    condition     = aws_sns_topic.ordered[0].name == "orders-dev-events-ordered.fifo" && aws_sns_topic.ordered[0].fifo_topic && output.ordering.topic_arn == aws_sns_topic.ordered[0].arn
    error_message = "There is no FIFO topic."
  }

  assert {
    condition     = aws_sns_topic_subscription.this["fraud"].topic_arn == aws_sns_topic.ordered[0].arn && endswith(aws_sns_topic_subscription.this["fraud"].endpoint, ":orders-dev-fraud.fifo") && aws_sns_topic_subscription.this["fraud"].filter_policy != null
    error_message = "The ordered service does not hear the FIFO topic under its filter."
  }

  assert {
    condition     = endswith(aws_sns_topic_subscription.this["audit"].endpoint, ":orders-dev-audit") && aws_sqs_queue.this["audit"].fifo_queue != true
    error_message = "The other service is not fed as before."
  }

  assert {
    condition = (
      aws_sqs_queue.this["fraud"].fifo_queue && aws_sqs_queue.this["fraud"].name == "orders-dev-fraud.fifo"
      && aws_sqs_queue.dead_letter["fraud"].fifo_queue && aws_sqs_queue.dead_letter["fraud"].name == "orders-dev-fraud-dlq.fifo"
      && jsondecode(aws_sqs_queue.this["fraud"].redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-west-1:123456789012:orders-dev-fraud-dlq.fifo"
    )
    error_message = "A FIFO queue's dead-letter queue must be one too."
  }

  assert {
    condition = alltrue([
      for policy in [aws_sqs_queue_policy.this["fraud"].policy, aws_sqs_queue_policy.dead_letter["fraud"].policy] :
      jsondecode(policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:sns:eu-west-1:123456789012:orders-dev-events-ordered.fifo"
    ])
    error_message = "The queues do not take messages from the FIFO topic, or take them from another."
  }
}

run "a_lock_shorter_than_six_time_outs_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = { fraud = { broker_max_deliveries = 100, lock_s = 179, timeout_s = 30 } }
  }

  expect_failures = [var.queues]
}

run "fewer_deliveries_than_pubsub_allows_are_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = { fraud = { broker_max_deliveries = 4, lock_s = 180, timeout_s = 30 } }
  }

  expect_failures = [var.queues]
}

run "a_name_too_long_for_a_queue_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = { a-service-whose-name-nobody-will-ever-want-to-type-again-in-all-their-life = { broker_max_deliveries = 5, lock_s = 180, timeout_s = 30 } }
  }

  expect_failures = [var.queues]
}
