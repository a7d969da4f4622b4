variable "collections" {
  description = "The collections as the topology declares them, by name: their indexes, and whether documents expire."
  type = map(object({
    indexes = list(string)
    ttl     = bool
  }))
  nullable = false
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted."
  type        = bool
  nullable    = false
}

variable "name" {
  description = "Prefix and environment: the first part of every name, and the database's."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", var.name))
    error_message = "name must be 4 to 63 lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen: it is the database's."
  }
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Location of the database."
  type        = string
  nullable    = false
}
