variable "hosts" {
  description = "Host names of the functions that answer HTTP requests, by service."
  type        = map(string)
  nullable    = false
}

variable "limits" {
  description = "Limits of the services that answer HTTP requests."
  type = map(object({
    max_concurrency = number
  }))
  nullable = false
}

variable "oidc" {
  description = "Issuer of the bearer tokens."
  type = object({
    issuer   = string
    audience = string
    jwks_url = string
  })
  nullable = false
}
