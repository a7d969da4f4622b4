variable "name" {
  description = "Prefix and environment: the first part of every name."
  type        = string
  nullable    = false
}

variable "project" {
  description = "Project id, and the project's number, which names the Pub/Sub service agent."
  type = object({
    id     = string
    number = string
  })
  nullable = false
}

variable "push" {
  description = "Where each service's messages are pushed to and as whom, by service."
  type = map(object({
    audience = string
    email    = string
    endpoint = string
  }))
  nullable = false
}

variable "retention" {
  description = "Seconds that a message is kept: on the topic and in a queue, and in a dead-letter queue."
  type = object({
    dead_letter_s = number
    queue_s       = number
  })
  default  = { dead_letter_s = 2678400, queue_s = 604800 }
  nullable = false

  validation {
    condition     = var.retention.dead_letter_s > var.retention.queue_s
    error_message = "retention.dead_letter_s must exceed retention.queue_s: a dead letter must outlive the queue that it came from."
  }

  validation {
    condition = alltrue([
      for seconds in values(var.retention) : seconds >= 600 && seconds <= 2678400
    ])
    error_message = "retention must be 600 to 2678400 seconds (cloud.google.com/pubsub/docs/subscription-properties)."
  }
}

variable "services" {
  description = "The services that are fed by messages, as the topology declares them, by name."
  type = map(object({
    filter = optional(map(list(string)), {})
    limits = object({
      backoff_base_s        = number
      backoff_cap_s         = number
      broker_max_deliveries = number
      lock_s                = number
      timeout_s             = number
    })
    ordered = optional(bool, false)
    trigger = string
  }))
  nullable = false

  validation {
    condition     = alltrue([for service in values(var.services) : contains(["queue", "object"], service.trigger)])
    error_message = "services must be triggered by queue or object."
  }

  validation {
    condition     = alltrue([for name in keys(var.services) : !endswith(name, "-dlq") && !endswith(name, "-redrive")])
    error_message = "services must not end in -dlq or -redrive: these are the names of their dead-letter queues and redrive topics."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) :
      service.limits.broker_max_deliveries >= 5 && service.limits.broker_max_deliveries <= 100
    ])
    error_message = "limits.broker_max_deliveries must be 5 to 100 (cloud.google.com/pubsub/docs/handling-failures)."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.limits.lock_s >= 10 && service.limits.lock_s <= 600])
    error_message = "limits.lock_s must be 10 to 600: Pub/Sub's acknowledgement deadlines (cloud.google.com/pubsub/docs/subscription-properties)."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.limits.lock_s >= service.limits.timeout_s])
    error_message = "limits.lock_s must not be below limits.timeout_s: a message would be pushed again while it is being processed."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) :
      0 <= service.limits.backoff_base_s
      && service.limits.backoff_base_s <= service.limits.backoff_cap_s
      && service.limits.backoff_cap_s <= 600
    ])
    error_message = "limits.backoff_base_s must not exceed limits.backoff_cap_s, and that not 600 (cloud.google.com/pubsub/docs/handling-failures)."
  }

  validation {
    condition = alltrue(flatten([
      for service in values(var.services) : [
        for attribute, values in service.filter : [
          can(regex("^[A-Za-z][A-Za-z0-9]*$", attribute)),
          length(values) > 0,
          [for value in values : can(regex("^[A-Za-z0-9_.-]+$", value))],
        ]
      ]
    ]))
    error_message = "filter must map attributes of letters and digits to at least one value of letters, digits, dots, hyphens and underscores."
  }
}

variable "topic" {
  description = "Name of the topic that every event goes to, as the topology declares it."
  type        = string
  nullable    = false
}
