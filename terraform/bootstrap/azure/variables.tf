variable "account_id" {
  description = "Id of the Azure subscription."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.account_id))
    error_message = "account_id must be an Azure subscription id: a UUID in lower case."
  }
}

variable "labels" {
  description = "Further labels (tags) of every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "prefix" {
  description = "Begins the name of every resource, as in terraform/azure."
  type        = string
  default     = "orderflow"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,8}$", var.prefix))
    error_message = "prefix must be 2 to 9 lower-case letters and digits, the first a letter."
  }
}

variable "region" {
  description = "Azure region of the state."
  type        = string
  nullable    = false
}

variable "state_users" {
  description = "Object ids of those who plan and apply, by a name for each: people, groups, and CI's identities once they are there. Each may read and write the state."
  type        = map(string)
  default     = {}
  nullable    = false
}
