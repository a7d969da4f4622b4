variable "alarm_email" {
  description = "Mailbox that alarms are sent to."
  type        = string
  nullable    = false
}

variable "api_id" {
  description = "The HTTP API."
  type        = string
  nullable    = false
}

variable "business_metrics" {
  description = "Whether the functions report orders, revenue and reasons of cancellations, which the dashboard then shows."
  type        = bool
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether a deleted key can be had back for 30 days, or only for 7."
  type        = bool
  nullable    = false
}

variable "functions" {
  description = <<-EOT
    Functions by service.

    - `trigger` queue, http, schedule or object; the first and the last have a queue, whose oldest message may be oldest_message_alarm_s seconds old; `ordered` ones have FIFO queues.
    - `hears`, `emits` how many kinds of event; `every_s` seconds between two runs of a scheduled one.
  EOT
  type = map(object({
    emits                  = number
    every_s                = optional(number)
    hears                  = number
    oldest_message_alarm_s = number
    ordered                = optional(bool, false)
    trigger                = string
  }))
  nullable = false
}

variable "log_retention_days" {
  description = "For how many days logs are kept."
  type        = number
  nullable    = false
}

variable "name" {
  description = "Begins every name: prefix and environment."
  type        = string
  nullable    = false
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

variable "sinks" {
  description = "Sinks by service: the longest time in seconds that an event waits in one."
  type        = map(object({ every_s = number }))
  nullable    = false
}

variable "topic_name" {
  description = "The topic that events are published to."
  type        = string
  nullable    = false
}

variable "webhooks" {
  description = "Services that the gateway tells of failed refunds and disputes."
  type        = set(string)
  nullable    = false
}
