variable "account_id" {
  description = "Where to deploy: the id of the Azure subscription."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.account_id))
    error_message = "account_id must be a subscription id: a UUID in lower case."
  }
}

variable "alarm_email" {
  description = "Address that alarms and budget alerts are sent to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be an e-mail address."
  }
}

variable "budget_monthly" {
  description = "Monthly budget in the account's currency; alerts are sent at half, at four fifths and when the forecast exceeds it."
  type        = number
  nullable    = false

  validation {
    condition     = var.budget_monthly >= 1
    error_message = "budget_monthly must be at least 1."
  }
}

variable "deletion_protection" {
  description = "Whether stored data is protected against deletion, by Terraform too."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment" {
  description = "Name of the environment: dev, staging or prod."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "github_repository" {
  description = "GitHub repository, as owner/name, whose workflows may plan and apply; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, or null."
  }
}

variable "labels" {
  description = "Further labels (tags) of every resource that takes them, for cost reports."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for key, value in var.labels :
      can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))
    ])
    error_message = "labels must be lower-case letters, digits, _ and -, keys beginning with a letter, at most 63 characters: the narrowest rule of the three clouds."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([30, 60, 90, 120, 180, 365], var.log_retention_days)
    error_message = "log_retention_days must be 30, 60, 90, 120, 180 or 365."
  }
}

variable "oidc" {
  description = "Issuer of the API's bearer tokens: its URL (the iss claim), the audience that a token must name, and where its public keys are."
  type = object({
    issuer   = string
    audience = string
    jwks_url = string
  })
  nullable = false

  validation {
    condition     = startswith(var.oidc.issuer, "https://") && startswith(var.oidc.jwks_url, "https://") && var.oidc.audience != ""
    error_message = "oidc must have an issuer and a jwks_url that begin with https://, and an audience."
  }
}

variable "package_file" {
  description = "Path of the functions' package, made before Terraform runs."
  type        = string
  default     = "../../dist/azure.zip"
  nullable    = false

  validation {
    condition     = fileexists(var.package_file)
    error_message = "package_file does not exist: make the package first."
  }
}

variable "prefix" {
  description = "What the name of every resource begins with."
  type        = string
  default     = "orderflow"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,8}$", var.prefix))
    error_message = "prefix must be 2 to 9 lower-case letters and digits, the first a letter: names of storage accounts (24 characters) and service accounts (30) leave no more."
  }
}

variable "region" {
  description = "Region of all resources."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.region))
    error_message = "region must be the short name of an Azure region, such as westeurope."
  }
}

variable "secrets" {
  description = "Names of the external systems (`uses` in the topology) that need a secret, read by the services that use them. The values are put in by hand and are never in the state."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "secrets must be short lower-case names."
  }

  validation {
    condition     = length(setsubtract(var.secrets, local.external_systems)) == 0
    error_message = "secrets must name external systems that a service uses: ${join(", ", setsubtract(var.secrets, local.external_systems))} is used by none."
  }
}

variable "settings" {
  description = "Further settings of the functions: environment variables ORDERFLOW_<NAME>, as functions/shared/orderflow/settings.py lists them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^ORDERFLOW_[A-Z][A-Z_]*$", name))])
    error_message = "settings must be named ORDERFLOW_<NAME>."
  }
}

variable "topology_file" {
  description = "Path of the topology: services, subscriptions, filters, limits and documents."
  type        = string
  default     = "../../topology.json"
  nullable    = false

  validation {
    condition     = can(jsondecode(file(var.topology_file)).services)
    error_message = "topology_file must be a topology in JSON."
  }

  validation {
    condition = alltrue([
      for trigger in ["http", "object", "sink"] :
      length([for service in try(values(jsondecode(file(var.topology_file)).services), []) : service if service.trigger == trigger]) == 1
    ])
    error_message = "The topology must have one service with each of the triggers http, object and sink: one door, one drop bucket, one archive."
  }
}
