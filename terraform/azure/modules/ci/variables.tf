variable "environment" {
  description = "Name of the environment, in GitHub too."
  type        = string
  nullable    = false
}

variable "github_repository" {
  description = "GitHub repository, as owner/name; null for none."
  type        = string
  default     = null
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

variable "resource_group_id" {
  description = "Id of the resource group."
  type        = string
  nullable    = false
}

variable "resource_group_name" {
  description = "Name of the resource group."
  type        = string
  nullable    = false
}

variable "roles" {
  description = "Names of the roles that an apply may give and take away."
  type        = set(string)
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource that takes them."
  type        = map(string)
  nullable    = false
}
