variable "account_id" {
  description = "AWS account id: 12 digits; any other account is refused."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be an AWS account id: 12 digits."
  }
}

variable "github_repository" {
  description = "GitHub repository whose workflows may plan and apply, as owner/name; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, or null."
  }
}

variable "labels" {
  description = "Further labels (tags) of every resource, beside application and managed-by."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "prefix" {
  description = "Begins the name of every resource, as in terraform/aws."
  type        = string
  default     = "orderflow"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,8}$", var.prefix))
    error_message = "prefix must be 2 to 9 lower-case letters and digits, the first a letter."
  }
}

variable "region" {
  description = "Where the state is: an AWS region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as eu-west-1."
  }
}
