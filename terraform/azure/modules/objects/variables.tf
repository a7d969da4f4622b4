variable "account_name" {
  description = "Name of the storage account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.account_name))
    error_message = "A storage account is named with 3 to 24 lower-case letters and digits."
  }
}

variable "buckets" {
  description = "Names of the containers."
  type        = set(string)
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether the account and what is in it cannot be deleted."
  type        = bool
  nullable    = false
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

variable "redundant" {
  description = "Whether data is kept in three zones of the region instead of one."
  type        = bool
  nullable    = false
}

variable "resource_group_name" {
  description = "Name of the resource group."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource that takes them."
  type        = map(string)
  nullable    = false
}

variable "watchers" {
  description = "Services that are told of new objects: whose queue hears of which container."
  type = map(object({
    bucket   = string
    queue_id = string
  }))
  nullable = false
}
