variable "collections" {
  description = "Collections by name: the names of their indexes, and whether documents expire."
  type = map(object({
    indexes = list(string)
    ttl     = bool
  }))
  nullable = false

  # docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
  validation {
    condition     = alltrue([for collection in keys(var.collections) : length("${var.name}-${collection}") <= 255])
    error_message = "A table's name has 255 characters at most."
  }

  validation {
    condition     = alltrue([for collection in values(var.collections) : length(collection.indexes) <= 20])
    error_message = "A table has 20 global secondary indexes at most."
  }
}

variable "deletion_protection" {
  description = "Whether tables refuse to be deleted."
  type        = bool
  nullable    = false
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
