variable "buckets" {
  description = "Buckets by their role."
  type        = set(string)
  nullable    = false

  # docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  validation {
    condition     = alltrue([for bucket in var.buckets : length("${var.name}-${bucket}-${var.scope.account_id}") <= 63])
    error_message = "A bucket's name has 63 characters at most: ${join(", ", [for bucket in var.buckets : "${var.name}-${bucket}-${var.scope.account_id}" if length("${var.name}-${bucket}-${var.scope.account_id}") > 63])}."
  }
}

variable "deletion_protection" {
  description = "Whether buckets that are not empty refuse to be deleted."
  type        = bool
  nullable    = false
}

variable "drops" {
  description = "Queue (ARN) that hears of a bucket's new objects, by bucket."
  type        = map(string)
  nullable    = false
}

variable "log_groups" {
  description = "Log group (name) by sink."
  type        = map(string)
  nullable    = false
}

variable "name" {
  description = "Begins every name: prefix and environment."
  type        = string
  nullable    = false
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

variable "sinks" {
  description = "Sinks by service: each writes the topic's events into a bucket below a prefix, in batches of at most every_s seconds."
  type = map(object({
    bucket  = string
    every_s = number
    prefix  = string
  }))
  nullable = false

  # docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
  validation {
    condition     = alltrue([for sink in values(var.sinks) : sink.every_s >= 0 && sink.every_s <= 900])
    error_message = "every_s of a sink must be 0 to 900: the longest that Firehose buffers."
  }

  validation {
    condition     = alltrue([for sink in keys(var.sinks) : length("${var.name}-${sink}-subscription") <= 64])
    error_message = "A role's name has 64 characters at most."
  }
}

variable "topic_arn" {
  description = "The topic."
  type        = string
  nullable    = false
}
