variable "name" {
  description = "Begins every name: prefix and environment."
  type        = string
  nullable    = false
}

variable "queues" {
  description = <<-EOT
    Queues by service; each gets a dead-letter queue {service}-dlq.

    - `filter` what its subscription lets through: allowed values by message attribute, all of which must match; {} hears everything.
    - `bucket_arn` for a queue that hears of a bucket's new objects and not of the topic.
    - `lock_s` seconds for which a delivery is hidden from others; `timeout_s` the function's time-out.
    - `ordered` whether the events of one order come one after the other, as they were published.
    - `broker_max_deliveries` deliveries after which SQS itself gives a message up: a backstop for crashes.
  EOT
  type = map(object({
    broker_max_deliveries = number
    bucket_arn            = optional(string)
    filter                = optional(map(list(string)), {})
    lock_s                = number
    ordered               = optional(bool, false)
    timeout_s             = number
  }))
  nullable = false

  # docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.lock_s >= 6 * queue.timeout_s])
    error_message = "lock_s must be at least six times timeout_s, else a message comes again while it is being retried: ${join(", ", [for service, queue in var.queues : service if queue.lock_s < 6 * queue.timeout_s])}."
  }

  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.lock_s <= 300])
    error_message = "lock_s must be at most 300: Service Bus's limit, shared by all three clouds: ${join(", ", [for service, queue in var.queues : service if queue.lock_s > 300])}."
  }

  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.broker_max_deliveries >= 5 && queue.broker_max_deliveries <= 100])
    error_message = "broker_max_deliveries must be 5 to 100: Pub/Sub's range, shared by all three clouds: ${join(", ", [for service, queue in var.queues : service if queue.broker_max_deliveries < 5 || queue.broker_max_deliveries > 100])}."
  }

  # docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
  validation {
    condition     = alltrue([for service, queue in var.queues : length("${var.name}-${service}-dlq${queue.ordered ? ".fifo" : ""}") <= 80])
    error_message = "A queue's name has 80 characters at most: ${join(", ", [for service in keys(var.queues) : "${var.name}-${service}-dlq" if length("${var.name}-${service}-dlq") > 75])}."
  }

  # docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
  validation {
    condition     = alltrue([for queue in values(var.queues) : length(queue.filter) <= 5])
    error_message = "A filter has five attributes at most."
  }
}

variable "scope" {
  description = "Where this is: what ARNs are made of."
  type = object({
    account_id = string
    partition  = string
    region     = string
  })
  nullable = false
}

variable "topic_name" {
  description = "Ends the topic's name."
  type        = string
  nullable    = false
}
