variable "account_id" {
  description = "Id of the cloud account that everything is made in: here the Google Cloud project id."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.account_id))
    error_message = "account_id must be a Google Cloud project id: 6 to 30 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "alarm_email" {
  description = "Address that alarms and budget warnings are sent to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be an e-mail address."
  }
}

variable "budget_monthly" {
  description = "Spending per month that warns at 50, 90 and 100 per cent, in the account's currency. It stops nothing."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.budget_monthly > 0 && floor(var.budget_monthly) == var.budget_monthly
    error_message = "budget_monthly must be a whole number above 0."
  }
}

variable "deletion_protection" {
  description = "Whether what holds data (documents, archive) refuses to be destroyed."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment" {
  description = "Which of the environments this is; part of every name."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "github_repository" {
  description = "Repository whose workflows may plan and apply, as owner/name; null makes no identity for them."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must have the form owner/name, or be null."
  }
}

variable "labels" {
  description = "Further labels (AWS and Azure: tags) on everything that takes them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for name, value in var.labels :
      can(regex("^[a-z][a-z0-9_-]{0,62}$", name)) && can(regex("^[a-z0-9_-]{0,63}$", value))
    ])
    error_message = "labels must be of lower-case letters, digits, hyphens and underscores, at most 63 characters, names beginning with a letter: all three clouds take these."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([30, 60, 90, 120, 180, 365], var.log_retention_days)
    error_message = "log_retention_days must be 30, 60, 90, 120, 180 or 365: all three clouds take these."
  }
}

variable "oidc" {
  description = "Who signs the API's bearer tokens: issuer (the iss claim), audience (the aud claim) and the URL of its keys."
  type = object({
    issuer   = string
    audience = string
    jwks_url = string
  })
  nullable = false

  validation {
    condition = (
      startswith(var.oidc.issuer, "https://")
      && startswith(var.oidc.jwks_url, "https://")
      && length(var.oidc.audience) > 0
    )
    error_message = "oidc needs an issuer and a jwks_url that begin with https://, and an audience."
  }
}

variable "package_file" {
  description = "Zip of the functions, made by `make package`; a path from the folder that Terraform runs in."
  type        = string
  default     = "../../dist/gcp.zip"
  nullable    = false

  validation {
    condition     = fileexists(var.package_file)
    error_message = "package_file does not exist: make it with `make package CLOUD=gcp`."
  }
}

variable "prefix" {
  description = "First part of every name."
  type        = string
  default     = "orderflow"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,8}$", var.prefix))
    error_message = "prefix must be 2 to 9 lower-case letters and digits, beginning with a letter: then every name fits on all three clouds."
  }
}

variable "region" {
  description = "Region that everything regional is made in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a Google Cloud region such as europe-west1."
  }
}

variable "secrets" {
  description = "Names of secrets. Each is made empty and readable by the services that use the external system of that name; its value is put in by hand and never in the state."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[a-z][a-z0-9-]{0,39}$", name))])
    error_message = "secrets must be of lower-case letters, digits and hyphens, beginning with a letter, at most 40 characters."
  }
}

variable "settings" {
  description = "Further settings of the functions by their name in functions/shared/orderflow/settings.py, such as high_from."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for name in keys(var.settings) :
      can(regex("^[a-z][a-z_]*$", name)) && !contains(["issuer", "audience", "jwks_url"], name)
    ])
    error_message = "settings must be named as in settings.py, in lower case and without ORDERFLOW_; issuer, audience and jwks_url come from oidc."
  }
}

variable "topology_file" {
  description = "The declaration of services, collections and buckets; a path from the folder that Terraform runs in."
  type        = string
  default     = "../../topology.json"
  nullable    = false

  validation {
    condition     = can(jsondecode(file(var.topology_file)).services)
    error_message = "topology_file must be a topology.json: make it with `make format`."
  }
}
