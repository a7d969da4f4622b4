variable "account_id" {
  description = "Account to deploy to: an AWS account id, an Azure subscription id or a Google Cloud project id."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be an AWS account id: 12 digits."
  }
}

variable "alarm_email" {
  description = "Mailbox that alarms and budget alerts are sent to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be an e-mail address."
  }
}

variable "budget_monthly" {
  description = "Monthly spending, in whole units of the account's currency, of which alarm_email is told at 50, 80 and 100 %, and when the forecast is above it. It stops nothing."
  type        = number
  nullable    = false

  validation {
    condition     = var.budget_monthly >= 1 && floor(var.budget_monthly) == var.budget_monthly
    error_message = "budget_monthly must be a whole number of at least 1."
  }
}

variable "deletion_protection" {
  description = "Whether stores and buckets refuse to be deleted. Without it a destroy takes the data with it."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment" {
  description = "Which of the deployments this is: dev, staging or prod."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
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
  description = "Further labels (tags) of every resource, beside application, environment and managed-by."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for name, value in var.labels :
      can(regex("^[a-z][a-z0-9_-]{0,62}$", name)) && can(regex("^[a-z0-9_-]{0,63}$", value))
    ])
    error_message = "labels must have keys and values of at most 63 lower-case letters, digits, - and _ (Google Cloud's rule, the narrowest), keys beginning with a letter."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept: a number that all three clouds take."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([30, 60, 90, 120, 180, 365], var.log_retention_days)
    error_message = "log_retention_days must be 30, 60, 90, 120, 180 or 365."
  }
}

variable "oidc" {
  description = "Issuer of the API's bearer tokens: the iss and aud claims to demand, and where the issuer publishes its keys."
  type = object({
    issuer   = string
    audience = string
    jwks_url = string
  })
  nullable = false

  validation {
    condition     = startswith(var.oidc.issuer, "https://") && startswith(var.oidc.jwks_url, "https://")
    error_message = "oidc.issuer and oidc.jwks_url must be https URLs."
  }

  validation {
    condition     = var.oidc.audience != ""
    error_message = "oidc.audience must not be empty: without it any token of the issuer would do."
  }
}

variable "package_file" {
  description = "The functions' zip, made by `make package` before Terraform runs. On AWS aws-tokens.zip must lie beside it, or what is named alike."
  type        = string
  default     = "../../dist/aws.zip"
  nullable    = false

  validation {
    condition     = fileexists(var.package_file) && fileexists("${trimsuffix(var.package_file, ".zip")}-tokens.zip")
    error_message = "package_file does not exist, or on AWS its other half, -tokens.zip: run `make package` first."
  }
}

variable "prefix" {
  description = "Begins the name of every resource; with the environment it tells deployments apart."
  type        = string
  default     = "orderflow"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,8}$", var.prefix))
    error_message = "prefix must be 2 to 9 lower-case letters and digits, the first a letter: names of service accounts (30 characters) and storage accounts (24) leave no more."
  }
}

variable "region" {
  description = "Where everything is: an AWS region, an Azure location or a Google Cloud region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as eu-west-1."
  }
}

variable "secrets" {
  description = "Names of the external systems (`uses` in the topology) that need a secret, `webhook` where there is one, and `signing` where settings.signatures is on. Made empty: the value is put in by hand and is never in the state."
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

  validation {
    condition     = length(setsubtract(local.signing, var.secrets)) == 0
    error_message = "secrets must name signing where settings.signatures is on: events are signed with it."
  }
}

variable "settings" {
  description = "Further settings of the functions, by the name of their field in functions/shared/orderflow/settings.py; the values as text."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setsubtract(keys(var.settings), [
      "breaker_cache",
      "breaker_cooldown",
      "breaker_failures",
      "breaker_window",
      "catalogue_cache",
      "conflict_tries",
      "elevated_from",
      "gateway_key_life",
      "gateway_key_margin",
      "high_from",
      "hold_for_screening",
      "log_level",
      "max_body",
      "max_lines",
      "order_deadline",
      "rate_burst",
      "rate_per_minute",
      "saga_retention",
      "send_lease",
      "shard_reservations",
      "shard_units",
      "signatures",
      "stock_shards",
      "suspect_from",
      "suspect_quantity",
      "sweep_after",
      "sweep_cap",
      "sweep_shards",
    ])) == 0
    error_message = "settings must be named as the fields of functions/shared/orderflow/settings.py, such as log_level; the issuer's are in oidc."
  }
}

variable "systems" {
  description = "Providers of the external systems (`uses` in the topology, and `webhook`, by which the gateway tells things by itself) and their options, as docs/providers.md lists them. A system that is not named is simulated."
  type = map(object({
    provider = string
    options  = optional(map(string), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.systems), local.external_systems)) == 0
    error_message = "systems must name external systems that a service uses: ${join(", ", setsubtract(keys(var.systems), local.external_systems))} is used by none."
  }

  validation {
    condition     = alltrue([for system in values(var.systems) : contains(concat(local.providers_of_this_cloud, ["acs", "easypost", "fcm", "sendgrid", "simulated", "stripe", "twilio"]), system.provider)])
    error_message = "systems must have providers that there are on this cloud: see docs/providers.md."
  }

  validation {
    condition     = alltrue([for name, system in var.systems : contains(var.secrets, name) || contains(["ses", "simulated", "sns"], system.provider)])
    error_message = "secrets must name every system whose provider wants credentials: all but ses and sns do."
  }

  validation {
    condition     = contains(keys(var.systems), "webhook") ? alltrue([for system in ["gateway", "webhook"] : try(var.systems[system].provider, "") == "stripe"]) : !contains(var.secrets, "webhook")
    error_message = "systems may name webhook, and secrets with it, where the provider of webhook and gateway is stripe."
  }

  validation {
    condition     = alltrue(flatten([for system in values(var.systems) : [for option in keys(system.options) : can(regex("^[a-z][a-z_]*$", option))]]))
    error_message = "options must have names of small letters, such as from."
  }

  validation {
    condition     = alltrue([for system in values(var.systems) : system.provider != "ses" || can(regex("[^@<\\s]+@[^@>\\s]+", system.options.from))])
    error_message = "ses wants the option from: the address that it sends from."
  }
}

variable "telemetry" {
  description = "Where traces and metrics go: off; cloud, to the cloud's own backends; or the base URL of an OTLP endpoint that takes HTTP."
  type        = string
  default     = "off"
  nullable    = false

  validation {
    condition     = contains(["off", "cloud"], var.telemetry) || can(regex("^https?://[^/]", var.telemetry))
    error_message = "telemetry must be off, cloud or the URL of an OTLP endpoint, such as https://otlp.example.com."
  }
}

variable "topology_file" {
  description = "The declaration of services, subscriptions, filters, limits and documents, written by orderflow.topology."
  type        = string
  default     = "../../topology.json"
  nullable    = false

  validation {
    condition     = can(jsondecode(file(var.topology_file)).services)
    error_message = "topology_file must be a topology in JSON."
  }

  validation {
    condition = try(alltrue([
      for trigger in ["http", "object", "sink"] :
      length([for service in values(jsondecode(file(var.topology_file)).services) : service if service.trigger == trigger]) == 1
    ]), false)
    error_message = "The topology must have one service with each of the triggers http, object and sink: one door, one drop bucket, one archive."
  }
}
