variable "dead_letters" {
  description = "Blob container for events that Event Grid could not deliver: its id and name, and its storage account's id."
  type = object({
    account_id     = string
    container_id   = string
    container_name = string
  })
  nullable = false
}

variable "location" {
  description = "Azure region."
  type        = string
  nullable    = false
}

variable "name" {
  description = "What every name begins with: prefix and environment."
  type        = string
  nullable    = false
}

variable "queues" {
  description = "Queues by service. `subscribed` ones hear the topic's events that match `filter`: every attribute must have one of its values, {} hears everything. `own_dead_letters` makes a second queue, <name>-<service>-dlq, for messages that the service gives up on with a reason."
  type = map(object({
    filter             = map(list(string))
    lock_seconds       = number
    max_deliveries     = number
    ordered            = optional(bool, false)
    own_dead_letters   = bool
    subscribed         = bool
    timeout_in_seconds = number
  }))
  nullable = false

  # learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement: 5 minutes at most.
  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.lock_seconds >= 5 && queue.lock_seconds <= 300])
    error_message = "lock_s must be 5 to 300: Service Bus locks a message for 5 minutes at most."
  }

  # The trigger does not renew the locks of a batch, so a function that outlived them would do its work twice.
  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.lock_seconds > queue.timeout_in_seconds])
    error_message = "lock_s must be longer than timeout_s: a message whose lock ends while it is processed comes again."
  }

  # learn.microsoft.com/azure/event-grid/delivery-and-retry
  validation {
    condition     = !anytrue([for queue in values(var.queues) : queue.ordered])
    error_message = "Azure has no order: Event Grid delivers events in any. Declare without ordered: ${join(", ", [for service, queue in var.queues : service if queue.ordered])}."
  }

  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.max_deliveries >= 5 && queue.max_deliveries <= 100])
    error_message = "broker_max_deliveries must be 5 to 100: the range of all three clouds."
  }

  # learn.microsoft.com/azure/event-grid/event-filtering#limitations
  validation {
    condition     = alltrue([for queue in values(var.queues) : length(flatten(values(queue.filter))) <= 25])
    error_message = "A filter must have at most 25 values: Event Grid counts those of all its attributes."
  }

  validation {
    condition     = alltrue([for service in keys(var.queues) : can(regex("^[a-z][a-z0-9-]{2,19}$", service))])
    error_message = "A service's name must be 3 to 20 lower-case letters, digits and hyphens."
  }
}

variable "resource_group_name" {
  description = "Name of the resource group."
  type        = string
  nullable    = false
}

variable "suffix" {
  description = "Ends the names that must be free in all of Azure."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource that takes them."
  type        = map(string)
  nullable    = false
}
