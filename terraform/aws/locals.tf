locals {
  name     = "${var.prefix}-${var.environment}"
  topology = jsondecode(file(var.topology_file))
  services = local.topology.services

  # Built from names, here and in the modules, so that a plan shows every policy in full: an ARN taken from a resource
  # is unknown until that resource exists.
  partition = (
    startswith(var.region, "cn-")
    ? "aws-cn"
    : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"
  )
  scope = {
    account_id = var.account_id
    dns_suffix = startswith(var.region, "cn-") ? "amazonaws.com.cn" : "amazonaws.com"
    partition  = local.partition
    region     = var.region
  }

  # One for those that check or sign tokens, one without what that takes (cli/orderflow_cli/package.py).
  package_files = {
    plain  = var.package_file
    tokens = "${trimsuffix(var.package_file, ".zip")}-tokens.zip"
  }

  # By what triggers them. No name of a service is written in this configuration.
  queues    = { for name, service in local.services : name => service if contains(["queue", "object"], service.trigger) }
  consumers = { for name, service in local.services : name => service if service.trigger == "queue" }
  doors     = { for name, service in local.services : name => service if service.trigger == "http" }
  schedules = { for name, service in local.services : name => service if service.trigger == "schedule" }
  files     = { for name, service in local.services : name => service if service.trigger == "object" }
  sinks     = { for name, service in local.services : name => service if service.trigger == "sink" }
  functions = { for name, service in local.services : name => service if service.trigger != "sink" }

  archive_bucket = one(values(local.sinks)[*].bucket)
  drop_bucket    = one(values(local.files)[*].bucket)
  door           = one(keys(local.doors))

  external_systems = toset(concat(flatten([for service in values(local.functions) : service.uses]), local.signing, ["webhook"]))

  # Where events are signed, who emits or hears them has the keys (functions/shared/orderflow/signatures.py).
  signing = lookup(var.settings, "signatures", "off") == "off" ? [] : ["signing"]

  # Where the gateway tells things by itself, the API hears it: with a secret of its own, and with the gateway's to ask
  # which order it is about (functions/shared/orderflow/webhooks.py).
  webhook = contains(keys(var.systems), "webhook") ? ["gateway", "webhook"] : []

  # The functions read environment variables (orderflow.settings).
  settings = { for name, value in var.settings : "ORDERFLOW_${upper(name)}" => value }

  # Providers beside those that are there on every cloud (orderflow.providers).
  providers_of_this_cloud = ["ses", "sns"]

  # What a function is told of the external systems that it uses.
  provider_settings = {
    for name, service in local.functions : name => merge({}, [
      for system in concat(try(service.uses, []), service.trigger == "http" ? ["webhook"] : []) : merge(
        { "ORDERFLOW_${upper(system)}" = var.systems[system].provider },
        { for option, value in var.systems[system].options : "ORDERFLOW_${upper(system)}_${upper(option)}" => value },
      ) if contains(keys(var.systems), system)
    ]...)
  }

  # Where the functions find the services that are not of the core (orderflow.services).
  packages = can(local.topology.packages) ? { ORDERFLOW_SERVICES_PACKAGES = join(",", local.topology.packages) } : {}

  # Where traces and metrics go (orderflow.telemetry). Nothing is set, and nothing in the package, where they are off.
  telemetry = {
    for name, value in {
      OTEL_EXPORTER_OTLP_ENDPOINT = contains(["off", "cloud"], var.telemetry) ? "off" : var.telemetry
      OTEL_METRICS_EXPORTER       = contains(["off", "cloud"], var.telemetry) ? var.telemetry : "otlp"
      OTEL_TRACES_EXPORTER        = contains(["off", "cloud"], var.telemetry) ? var.telemetry : "otlp"
    } : name => value if value != "off"
  }

  # What `orderflow_aws.wiring` reads, in a function and on an operator's machine alike.
  environment = merge(local.settings, local.packages, local.telemetry, length(module.messaging.ordering.services) == 0 ? {} : {
    ORDERFLOW_ORDERED_SERVICES  = join(",", module.messaging.ordering.services)
    ORDERFLOW_ORDERED_TOPIC_ARN = module.messaging.ordering.topic_arn
    }, {
    ORDERFLOW_ARCHIVE_BUCKET = module.objects.bucket_names[local.archive_bucket]
    ORDERFLOW_DROP_BUCKET    = module.objects.bucket_names[local.drop_bucket]
    ORDERFLOW_PREFIX         = local.name
    ORDERFLOW_QUEUES_URL     = "https://sqs.${var.region}.${local.scope.dns_suffix}/${var.account_id}/"
    ORDERFLOW_TOPIC_ARN      = module.messaging.topic_arn
  })
  environment_oidc = {
    ORDERFLOW_AUDIENCE = var.oidc.audience
    ORDERFLOW_ISSUER   = var.oidc.issuer
    ORDERFLOW_JWKS_URL = var.oidc.jwks_url
  }
}
