locals {
  name     = "${var.prefix}-${var.environment}"
  topology = jsondecode(file(var.topology_file))

  labels = merge(var.labels, { application = var.prefix, environment = var.environment, managed-by = "terraform" })

  # What uses this waits until the APIs are enabled.
  project = {
    id     = one(distinct([for api in google_project_service.this : api.project]))
    number = data.google_project.this.number
  }

  # The services by what triggers them; no service has a name here.
  services  = local.topology.services
  functions = { for name, service in local.services : name => service if service.trigger != "sink" }
  fed       = { for name, service in local.services : name => service if contains(["queue", "object"], service.trigger) }
  http      = { for name, service in local.services : name => service if service.trigger == "http" }
  scheduled = { for name, service in local.services : name => service if service.trigger == "schedule" }
  sinks     = { for name, service in local.services : name => service if service.trigger == "sink" }
  watching  = { for name, service in local.services : name => service if service.trigger == "object" }

  archive_bucket   = module.objects.buckets[one(values(local.sinks)).bucket]
  drop_bucket      = module.objects.buckets[one(values(local.watching)).bucket]
  external_systems = toset(concat(flatten([for service in values(local.functions) : service.uses]), local.signing, ["webhook"]))

  # Where events are signed, who emits or hears them has the keys (functions/shared/orderflow/signatures.py).
  signing = lookup(var.settings, "signatures", "off") == "off" ? [] : ["signing"]

  # Where the gateway tells things by itself, the API hears it: with a secret of its own, and with the gateway's to ask
  # which order it is about (functions/shared/orderflow/webhooks.py).
  webhook = contains(keys(var.systems), "webhook") ? ["gateway", "webhook"] : []

  # The functions read environment variables (orderflow.settings).
  settings = { for name, value in var.settings : "ORDERFLOW_${upper(name)}" => value }

  # Providers beside those that are there on every cloud (orderflow.providers).
  providers_of_this_cloud = []

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
      # Cloud Monitoring takes no metric without a location, and tells deployments of one project apart by the cluster
      # (docs.cloud.google.com/stackdriver/docs/reference/telemetry/v1.metrics).
      OTEL_RESOURCE_ATTRIBUTES = var.telemetry == "cloud" ? "cloud.region=${var.region},cluster=${local.name}" : "off"
    } : name => value if value != "off"
  }

  # What orderflow_gcp.wiring reads, in a function as on an operator's machine.
  environment_variables = tomap(merge(
    local.settings,
    local.packages,
    local.telemetry,
    {
      GOOGLE_CLOUD_PROJECT         = local.project.id
      ORDERFLOW_ARCHIVE_BUCKET     = local.archive_bucket
      ORDERFLOW_DROP_BUCKET        = local.drop_bucket
      ORDERFLOW_FIRESTORE_DATABASE = module.store.database.name
      ORDERFLOW_PREFIX             = local.name
    },
    # Whoever publishes must keep the order that a service asks for, which takes one region
    # (cloud.google.com/pubsub/docs/ordering).
    anytrue([for service in values(local.fed) : try(service.ordered, false)]) ? { ORDERFLOW_ORDERING_REGION = var.region } : {},
  ))
  environment_oidc = {
    ORDERFLOW_AUDIENCE = var.oidc.audience
    ORDERFLOW_ISSUER   = var.oidc.issuer
    ORDERFLOW_JWKS_URL = var.oidc.jwks_url
  }
}
