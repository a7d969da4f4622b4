variable "buckets" {
  description = "Names of the buckets as the topology declares them."
  type        = set(string)
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether a bucket that holds objects refuses to be deleted."
  type        = bool
  nullable    = false
}

variable "name" {
  description = "Prefix and environment: the first part of every name."
  type        = string
  nullable    = false
}

variable "project" {
  description = "Project id, which makes bucket names unique in the world, and the project's number."
  type = object({
    id     = string
    number = string
  })
  nullable = false
}

variable "region" {
  description = "Location of the buckets."
  type        = string
  nullable    = false
}

variable "sinks" {
  description = "The services that only write events to a bucket in batches, as the topology declares them, by name."
  type = map(object({
    bucket  = string
    every_s = number
    prefix  = string
  }))
  nullable = false

  validation {
    condition     = alltrue([for sink in values(var.sinks) : contains(var.buckets, sink.bucket)])
    error_message = "sinks must name one of the buckets."
  }

  validation {
    condition     = alltrue([for sink in values(var.sinks) : sink.every_s >= 60 && sink.every_s <= 600])
    error_message = "sinks must have an every_s of 60 to 600: Pub/Sub writes a batch after one to ten minutes (cloud.google.com/pubsub/docs/create-cloudstorage-subscription)."
  }
}

variable "topic" {
  description = "Id of the topic that every event goes to."
  type        = string
  nullable    = false
}

variable "watchers" {
  description = "The services that hear of written objects, by name: the bucket, and the name of their topic."
  type = map(object({
    bucket = string
    topic  = string
  }))
  nullable = false

  validation {
    condition     = alltrue([for watcher in values(var.watchers) : contains(var.buckets, watcher.bucket)])
    error_message = "watchers must name one of the buckets."
  }
}
