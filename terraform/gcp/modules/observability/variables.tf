variable "alarm_email" {
  description = "Address that alarms are sent to."
  type        = string
  nullable    = false
}

variable "business_metrics" {
  description = "Whether the functions report orders, revenue and reasons of cancellations, which the dashboard then shows."
  type        = bool
  nullable    = false
}

variable "dead_letter_queues" {
  description = "Ids of the dead-letter subscriptions, by service that has one."
  type        = map(string)
  nullable    = false
}

variable "functions" {
  description = "Names of the functions, by service."
  type        = map(string)
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the functions' logs are kept."
  type        = number
  nullable    = false
}

variable "name" {
  description = "Prefix and environment: the first part of every name."
  type        = string
  nullable    = false
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "queues" {
  description = "Ids of the services' subscriptions, by service that has one."
  type        = map(string)
  nullable    = false
}

variable "region" {
  description = "Where the logs are kept."
  type        = string
  nullable    = false
}

variable "services" {
  description = "The services that have a function, as the topology declares them, by name."
  type = map(object({
    emits = list(string)
    hears = optional(list(string), [])
    limits = object({
      oldest_message_alarm_s = number
    })
    trigger = string
  }))
  nullable = false
}

variable "sinks" {
  description = "The subscriptions that write to a bucket, by service: id, and the seconds that a batch may wait."
  type = map(object({
    every_s = number
    id      = string
  }))
  nullable = false
}

variable "topic" {
  description = "Name of the topic that every event goes to."
  type        = string
  nullable    = false
}

variable "webhooks" {
  description = "Services that the gateway tells of failed refunds and disputes."
  type        = set(string)
  nullable    = false
}
