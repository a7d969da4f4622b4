variable "environment" {
  description = "GitHub environment whose approval an apply needs; the deployment's own name for it."
  type        = string
  nullable    = false
}

variable "github_repository" {
  description = "Repository whose workflows may plan and apply, as owner/name; null makes nothing."
  type        = string
  default     = null
}

variable "granted_roles" {
  description = "Roles on the project that an apply may give and take away."
  type        = set(string)
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

variable "source_bucket" {
  description = "Name of the bucket that holds the functions' package."
  type        = string
  nullable    = false
}
