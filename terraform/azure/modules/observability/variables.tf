variable "alarm_email" {
  description = "Address that alarms are sent to."
  type        = string
  nullable    = false
}

variable "audited" {
  description = "Resources whose metrics and logs, of the categories given, are kept in the workspace, by a name for each."
  type = map(object({
    id   = string
    logs = set(string)
  }))
  nullable = false
}

variable "business_metrics" {
  description = "Whether the functions report orders, revenue and reasons of cancellations, which the workbook then shows."
  type        = bool
  nullable    = false
}

variable "doors" {
  description = "Names of the function apps that answer HTTP requests: an order is accepted there."
  type        = list(string)
  nullable    = false
}

variable "functions" {
  description = "Names of the function apps, by service."
  type        = map(string)
  nullable    = false
}

variable "hears" {
  description = "Kinds of events that each service hears."
  type        = map(list(string))
  nullable    = false
}

variable "location" {
  description = "Azure region."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false
}

variable "name" {
  description = "What every name begins with: prefix and environment."
  type        = string
  nullable    = false
}

variable "namespace_id" {
  description = "Id of the Service Bus namespace."
  type        = string
  nullable    = false
}

variable "queues" {
  description = "Queues by service: its name, that of its own dead-letter queue, that of its event subscription, and how long a message may wait."
  type = map(object({
    dead_letter_name = optional(string)
    name             = string
    oldest_seconds   = number
    subscription     = optional(string)
  }))
  nullable = false

  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.oldest_seconds >= 60 && queue.oldest_seconds <= 86400])
    error_message = "oldest_message_alarm_s must be 60 to 86400: an alert looks back a minute to a day."
  }
}

variable "resource_group_name" {
  description = "Name of the resource group."
  type        = string
  nullable    = false
}

variable "storage_account_ids" {
  description = "Ids of the storage accounts that hold data, by a name for each."
  type        = map(string)
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource that takes them."
  type        = map(string)
  nullable    = false
}

variable "topic_id" {
  description = "Id of the Event Grid topic."
  type        = string
  nullable    = false
}

variable "webhooks" {
  description = "Names of the function apps that the gateway tells of failed refunds and disputes."
  type        = list(string)
  nullable    = false
}
