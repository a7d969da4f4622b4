locals {
  topology = jsondecode(file(var.topology_file))
  services = local.topology.services

  name = "${var.prefix}-${var.environment}"

  # Ends the names that must be free in all of Azure. The same subscription and name always give the same one.
  suffix = substr(sha1("${var.account_id}/${local.name}"), 0, 5)

  # For names that take letters and digits only.
  compact = "${var.prefix}${var.environment}"

  tags = merge(var.labels, {
    application = var.prefix
    environment = var.environment
    managed-by  = "terraform"
  })

  redundant = var.environment == "prod"
}

# What runs and what waits, by trigger.
locals {
  limits = { for name, service in local.services : name => service.limits }

  external_systems = toset(concat(flatten([for service in values(local.services) : try(service.uses, [])]), local.signing, ["webhook"]))

  # Where events are signed, who emits or hears them has the keys (functions/shared/orderflow/signatures.py).
  signing = lookup(var.settings, "signatures", "off") == "off" ? [] : ["signing"]

  # Where the gateway tells things by itself, the API hears it: with a secret of its own, and with the gateway's to ask
  # which order it is about (functions/shared/orderflow/webhooks.py).
  webhook = contains(keys(var.systems), "webhook") ? ["gateway", "webhook"] : []

  archive_bucket = one([for service in values(local.services) : service.bucket if service.trigger == "sink"])
  drop_bucket    = one([for service in values(local.services) : service.bucket if service.trigger == "object"])

  doors    = toset([for name, service in local.services : name if service.trigger == "http"])
  timers   = { for name, service in local.services : name => service.every_s if contains(["schedule", "sink"], service.trigger) }
  watchers = { for name, service in local.services : name => service.bucket if service.trigger == "object" }

  queues = {
    for name, service in local.services : name => {
      filter             = try(service.filter, {})
      lock_seconds       = local.limits[name].lock_s
      max_deliveries     = local.limits[name].broker_max_deliveries
      oldest_seconds     = local.limits[name].oldest_message_alarm_s
      ordered            = try(service.ordered, false)
      own_dead_letters   = service.trigger != "sink"
      subscribed         = service.trigger != "object"
      timeout_in_seconds = local.limits[name].timeout_s
    } if contains(["queue", "object", "sink"], service.trigger)
  }

  functions = {
    for name, service in local.services : name => {
      bucket                 = try(service.bucket, null)
      collections            = try(service.collections, {})
      emits                  = try(service.emits, [])
      fetches                = try(service.fetches, [])
      hears                  = try(service.hears, [])
      http_concurrency       = try(module.api.http_concurrency[name], null)
      keeps                  = try(service.keeps, [])
      limits                 = local.limits[name]
      maximum_instance_count = try(module.api.maximum_instance_count[name], local.limits[name].max_concurrency)
      settings               = merge(try(module.api.settings[name], {}), local.provider_settings[name])
      trigger                = service.trigger
      uses                   = concat(try(service.uses, []), length(concat(try(service.emits, []), try(service.hears, []))) > 0 ? local.signing : [], service.trigger == "http" ? local.webhook : [])
    }
  }

  # The functions read environment variables (orderflow.settings).
  settings = { for name, value in var.settings : "ORDERFLOW_${upper(name)}" => value }

  # Providers beside those that are there on every cloud (orderflow.providers).
  providers_of_this_cloud = []

  # What a function is told of the external systems that it uses.
  provider_settings = {
    for name, service in local.services : name => merge({}, [
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

  # With these and a signed-in Azure CLI, orderflow_azure.wiring.bootstrap reaches the deployment from any machine.
  environment = merge(local.settings, local.packages, local.telemetry, {
    ORDERFLOW_ARCHIVE_CONTAINER                   = module.objects.container_names[local.archive_bucket]
    ORDERFLOW_DROP_CONTAINER                      = module.objects.container_names[local.drop_bucket]
    ORDERFLOW_EVENTGRID_ENDPOINT                  = module.messaging.topic_endpoint
    ORDERFLOW_PREFIX                              = local.name
    ORDERFLOW_SERVICEBUS__fullyQualifiedNamespace = module.messaging.namespace_host
    ORDERFLOW_STORAGE__blobServiceUri             = module.objects.blob_endpoint
    ORDERFLOW_STORAGE__tableServiceUri            = module.store.table_endpoint
  })
  environment_oidc = {
    ORDERFLOW_AUDIENCE = var.oidc.audience
    ORDERFLOW_ISSUER   = var.oidc.issuer
    ORDERFLOW_JWKS_URL = var.oidc.jwks_url
  }
}
