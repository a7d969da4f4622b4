variable "function_arn" {
  description = "The function that answers."
  type        = string
  nullable    = false
}

variable "function_name" {
  description = "Its name."
  type        = string
  nullable    = false
}

variable "log_group_arn" {
  description = "Log group of the access log."
  type        = string
  nullable    = false
}

variable "max_concurrency" {
  description = "Requests that the function answers at the same time: also the API's burst, and its rate a second."
  type        = number
  nullable    = false
}

variable "name" {
  description = "Begins every name: prefix and environment."
  type        = string
  nullable    = false
}

variable "oidc" {
  description = "The iss and aud claims of a bearer token."
  type = object({
    issuer   = string
    audience = string
  })
  nullable = false
}

variable "timeout_s" {
  description = "The function's time-out in seconds."
  type        = number
  nullable    = false

  # docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
  validation {
    condition     = var.timeout_s <= 30
    error_message = "timeout_s of the API must be at most 30: an HTTP API waits no longer."
  }
}

variable "unguarded_routes" {
  description = "Routes that are answered without a token; every other needs one."
  type        = set(string)
  nullable    = false
}
