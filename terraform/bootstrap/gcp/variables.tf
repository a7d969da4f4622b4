variable "account_id" {
  description = "Google Cloud project id."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.account_id))
    error_message = "account_id must be a Google Cloud project id: 6 to 30 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "labels" {
  description = "Further labels of the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "prefix" {
  description = "Begins the bucket's name: the prefix of the deployments whose state it keeps."
  type        = string
  default     = "orderflow"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,8}$", var.prefix))
    error_message = "prefix must be 2 to 9 lower-case letters and digits, the first a letter."
  }
}

variable "region" {
  description = "Google Cloud region of the bucket."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a Google Cloud region such as europe-west1."
  }
}

variable "state_users" {
  description = "Who may read and write state beside the project's owners, as IAM members: the accounts of output ci_identity, once they are there."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.state_users : can(regex("^(group|serviceAccount|user):.+@.+$", member))])
    error_message = "state_users must be group:, serviceAccount: or user: and an address; nobody else may see a state."
  }
}
