variable "environment" {
  description = "The GitHub environment from which may be applied; its approval rules are GitHub's."
  type        = string
  nullable    = false
}

variable "github_repository" {
  description = "owner/name, or null for no federation."
  type        = string
}

variable "name" {
  description = "Begins every name: prefix and environment."
  type        = string
  nullable    = false
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

variable "state_bucket" {
  description = "The bucket that holds the state, as terraform/bootstrap/aws names it."
  type        = string
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
