variable "buckets" {
  description = "Names of the buckets, by their name in the topology."
  type        = map(string)
  nullable    = false
}

variable "claims" {
  description = "Where the data of events too large for the topic are: bucket and object prefix."
  type = object({
    bucket = string
    prefix = string
  })
  nullable = false
}

variable "database" {
  description = "Id of the Firestore database."
  type        = string
  nullable    = false
}

variable "dead_letter_topics" {
  description = "Names of the dead-letter topics, by service that has one."
  type        = map(string)
  nullable    = false
}

variable "drop_bucket" {
  description = "Name of the bucket that files are dropped in."
  type        = string
  nullable    = false
}

variable "environment_variables" {
  description = "What every function's environment holds."
  type        = map(string)
  nullable    = false
}

variable "name" {
  description = "Prefix and environment: the first part of every name."
  type        = string
  nullable    = false
}

variable "oidc" {
  description = "Who signs the bearer tokens of the services that are triggered by HTTP."
  type = object({
    issuer   = string
    audience = string
    jwks_url = string
  })
  nullable = false
}

variable "package_file" {
  description = "Zip of the functions."
  type        = string
  nullable    = false
}

variable "project" {
  description = "Project id, and the project's number."
  type = object({
    id     = string
    number = string
  })
  nullable = false
}

variable "quarantine" {
  description = "Where services that are triggered by an object put rows that they refuse: bucket and object prefix."
  type = object({
    bucket = string
    prefix = string
  })
  nullable = false
}

variable "region" {
  description = "Region of the functions."
  type        = string
  nullable    = false
}

variable "secrets" {
  description = "Names of secrets; each is readable by the services that use the external system of that name."
  type        = set(string)
  nullable    = false
}

variable "services" {
  description = "The services that have a function, as the topology declares them, by name."
  type = map(object({
    bucket = optional(string)
    collections = object({
      read  = list(string)
      write = list(string)
    })
    emits   = list(string)
    fetches = optional(list(string), [])
    hears   = optional(list(string), [])
    keeps   = optional(list(string), [])
    limits = object({
      max_concurrency = number
      memory_mb       = number
      timeout_s       = number
    })
    settings = optional(map(string), {})
    trigger  = string
    uses     = list(string)
  }))
  nullable = false

  validation {
    condition     = alltrue([for service in values(var.services) : contains(["http", "object", "queue", "schedule"], service.trigger)])
    error_message = "services must be triggered by http, object, queue or schedule."
  }

  validation {
    condition     = alltrue([for name in keys(var.services) : can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", name))])
    error_message = "services must be named with lower-case letters, digits and hyphens, beginning with a letter."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.limits.timeout_s >= 1 && service.limits.timeout_s <= 3600])
    error_message = "limits.timeout_s must be 1 to 3600 (cloud.google.com/functions/quotas)."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.limits.memory_mb >= 128 && service.limits.memory_mb <= 32768])
    error_message = "limits.memory_mb must be 128 to 32768 (cloud.google.com/functions/quotas)."
  }
}

variable "telemetry_roles" {
  description = "By which every function may send traces and metrics, where it does."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "topic" {
  description = "Name of the topic that every event goes to."
  type        = string
  nullable    = false
}
