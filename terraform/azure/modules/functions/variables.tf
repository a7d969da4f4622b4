variable "account_id" {
  description = "Id of the subscription."
  type        = string
  nullable    = false
}

variable "application_insights_connection_string" {
  description = "Where the functions report to: an address, and no key."
  type        = string
  nullable    = false
}

variable "application_insights_id" {
  description = "Id of what the functions report to."
  type        = string
  nullable    = false
}

variable "archive_bucket" {
  description = "Bucket that rows and files which cannot be loaded are put aside in."
  type        = string
  nullable    = false
}

variable "claims" {
  description = "Where the data of events too large for the topic are: bucket and prefix."
  type = object({
    bucket = string
    prefix = string
  })
  nullable = false
}

variable "compact_name" {
  description = "Prefix and environment without a hyphen, for names that take letters and digits only."
  type        = string
  nullable    = false
}

variable "container_ids" {
  description = "Ids of the blob containers, by bucket."
  type        = map(string)
  nullable    = false
}

variable "dead_letter_queue_ids" {
  description = "Ids of the services' own dead-letter queues, by service."
  type        = map(string)
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether the key vault can be recovered, but not purged, for 90 days after it was deleted."
  type        = bool
  nullable    = false
}

variable "drop_bucket" {
  description = "The bucket that files are dropped in, by its name in the topology."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Environment variables of every function."
  type        = map(string)
  nullable    = false
}

variable "functions" {
  description = "Functions by service, with what each may touch: the topic if it emits, the claims of what it emits or hears, collections that it reads and writes, its bucket, the secrets of the external systems that it uses, the prefixes of dropped files that it fetches and of the archive bucket that it keeps objects below, and the queues of its own name."
  type = map(object({
    bucket = optional(string)
    collections = optional(object({
      read  = optional(set(string), [])
      write = optional(set(string), [])
    }), {})
    emits            = optional(set(string), [])
    fetches          = optional(set(string), [])
    hears            = optional(set(string), [])
    http_concurrency = optional(number)
    keeps            = optional(set(string), [])
    limits = object({
      batch_size     = number
      batch_window_s = number
      memory_mb      = number
      timeout_s      = number
    })
    maximum_instance_count = number
    settings               = optional(map(string), {})
    trigger                = string
    uses                   = optional(set(string), [])
  }))
  nullable = false

  # learn.microsoft.com/azure/azure-functions/flex-consumption-plan#instance-memory
  validation {
    condition     = alltrue([for function in values(var.functions) : function.limits.memory_mb <= 4096])
    error_message = "memory_mb must be at most 4096: the largest instance of Flex Consumption."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : function.maximum_instance_count >= 1 && function.maximum_instance_count <= 1000])
    error_message = "max_concurrency must be 1 to 1000: the instances that a Flex Consumption app may have."
  }
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

variable "queue_ids" {
  description = "Ids of the queues, by service."
  type        = map(string)
  nullable    = false
}

variable "redundant" {
  description = "Whether instances and packages are spread over three zones of the region."
  type        = bool
  nullable    = false
}

variable "resource_group_name" {
  description = "Name of the resource group."
  type        = string
  nullable    = false
}

variable "secrets" {
  description = "External systems that need a secret."
  type        = set(string)
  nullable    = false
}

variable "suffix" {
  description = "Ends the names that must be free in all of Azure."
  type        = string
  nullable    = false
}

variable "table_ids" {
  description = "Ids of the tables, by collection."
  type        = map(string)
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource that takes them."
  type        = map(string)
  nullable    = false
}

variable "tenant_id" {
  description = "Id of the Entra tenant."
  type        = string
  nullable    = false
}

variable "topic_id" {
  description = "Id of the Event Grid topic."
  type        = string
  nullable    = false
}
