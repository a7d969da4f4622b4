variable "functions" {
  description = "Names of the functions that are triggered by HTTP, by service."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.functions) == 1
    error_message = "functions must be one: a deployment has one HTTP API."
  }
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the functions."
  type        = string
  nullable    = false
}

variable "urls" {
  description = "Addresses of all functions, by service."
  type        = map(string)
  nullable    = false
}
