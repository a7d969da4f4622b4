variable "archive_arn" {
  description = "The archive bucket."
  type        = string
  nullable    = false
}

variable "claims" {
  description = "Where the data of events too large for the topic are: bucket and prefix."
  type = object({
    bucket_arn = string
    prefix     = string
  })
  nullable = false
}

variable "deletion_protection" {
  description = "Whether a deleted secret can be had back for 30 days."
  type        = bool
  nullable    = false
}

variable "drop_arn" {
  description = "The bucket that files are dropped in."
  type        = string
  nullable    = false
}

variable "functions" {
  description = <<-EOT
    Functions by service.

    - `trigger` queue, http, schedule or object; `queue_arn` and `dead_letter_arn` of a service that has a queue, `bucket_arn` of one that reads dropped files.
    - `publishes` whether it emits events, `hears` whether it consumes them; `reads` and `writes` its collections; `uses` the external systems that it calls; `fetches` the prefixes of dropped files that it reads, `keeps` those of the archive bucket below which it writes.
    - `every_s` seconds between two runs of a scheduled one. Times are in seconds, memory in MB.
  EOT
  type = map(object({
    batch_size      = number
    batch_window_s  = number
    bucket_arn      = optional(string)
    dead_letter_arn = optional(string)
    environment     = map(string)
    every_s         = optional(number)
    fetches         = optional(list(string), [])
    hears           = bool
    keeps           = optional(list(string), [])
    log_group       = string
    max_concurrency = number
    memory_mb       = number
    publishes       = bool
    queue_arn       = optional(string)
    reads           = list(string)
    timeout_s       = number
    trigger         = string
    uses            = list(string)
    writes          = list(string)
  }))
  nullable = false

  # docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
  validation {
    condition = alltrue([
      for function in values(var.functions) : function.batch_size <= 10 && function.batch_window_s == 0
      if endswith(coalesce(function.queue_arn, "none"), ".fifo")
    ])
    error_message = "An ordered service must have a batch_size of at most 10 and a batch_window_s of 0: Lambda's limits for a FIFO queue."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : contains(["queue", "http", "schedule", "object"], function.trigger)])
    error_message = "trigger must be queue, http, schedule or object."
  }

  # docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html, docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
  validation {
    condition     = alltrue([for service in keys(var.functions) : length("${var.name}-${service}") <= 64])
    error_message = "A function and its role have names of 64 characters at most: ${join(", ", [for service in keys(var.functions) : "${var.name}-${service}" if length("${var.name}-${service}") > 64])}."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : function.timeout_s >= 1 && function.timeout_s <= 900])
    error_message = "timeout_s must be 1 to 900."
  }

  # docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
  validation {
    condition     = alltrue([for function in values(var.functions) : function.max_concurrency >= 2 && function.max_concurrency <= 1000 if function.queue_arn != null])
    error_message = "max_concurrency of a service with a queue must be 2 to 1000: ${join(", ", [for service, function in var.functions : service if function.queue_arn != null && (function.max_concurrency < 2 || function.max_concurrency > 1000)])}."
  }

  # docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  validation {
    condition     = alltrue([for function in values(var.functions) : function.batch_size <= 10 || function.batch_window_s >= 1])
    error_message = "A batch_size of more than 10 needs a batch_window_s of at least 1."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : function.timeout_s <= function.every_s if function.every_s != null])
    error_message = "timeout_s of a scheduled service must not be longer than every_s: two runs would overlap."
  }
}

variable "name" {
  description = "Begins every name: prefix and environment."
  type        = string
  nullable    = false
}

variable "package_files" {
  description = "The functions' zips: of those that check or sign tokens, and of all others."
  type = object({
    plain  = string
    tokens = string
  })
  nullable = false
}

variable "role_boundary_arn" {
  description = "Permissions boundary of every role, or null."
  type        = string
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

variable "secrets" {
  description = "External systems that need a secret."
  type        = set(string)
  nullable    = false
}

variable "systems" {
  description = "Providers of the external systems and their options."
  type = map(object({
    provider = string
    options  = optional(map(string), {})
  }))
  default  = {}
  nullable = false
}

variable "table_arns" {
  description = "Table by collection."
  type        = map(string)
  nullable    = false
}

variable "table_index_arns" {
  description = "The table's indexes by collection, for collections that have any."
  type        = map(list(string))
  nullable    = false
}

variable "topic_arns" {
  description = "The topics that every event is published to."
  type        = list(string)
  nullable    = false
}
