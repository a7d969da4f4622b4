provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = merge(var.labels, {
      application = var.prefix
      environment = var.environment
      managed-by  = "terraform"
    })
  }
}

module "messaging" {
  source = "./modules/messaging"

  name       = local.name
  scope      = local.scope
  topic_name = local.topology.topic
  queues = {
    for name, service in local.queues : name => {
      bucket_arn            = service.trigger == "object" ? module.objects.bucket_arns[service.bucket] : null
      broker_max_deliveries = service.limits.broker_max_deliveries
      filter                = try(service.filter, {})
      lock_s                = service.limits.lock_s
      ordered               = try(service.ordered, false)
      timeout_s             = service.limits.timeout_s
    }
  }
}

module "store" {
  source = "./modules/store"

  name                = local.name
  scope               = local.scope
  collections         = local.topology.collections
  deletion_protection = var.deletion_protection
}

module "objects" {
  source = "./modules/objects"

  name                = local.name
  scope               = local.scope
  buckets             = toset(local.topology.buckets)
  deletion_protection = var.deletion_protection
  drops               = { for name, service in local.files : service.bucket => module.messaging.queue_arns[name] }
  log_groups          = module.observability.sink_log_groups
  role_boundary_arn   = module.ci.role_boundary_arn
  topic_arn           = module.messaging.topic_arn
  sinks = {
    for name, service in local.sinks : name => {
      bucket  = service.bucket
      every_s = service.every_s
      prefix  = service.prefix
    }
  }
}

module "functions" {
  source = "./modules/functions"

  name                = local.name
  archive_arn         = module.objects.bucket_arns[local.archive_bucket]
  claims              = { bucket_arn = module.objects.bucket_arns[local.topology.claims.bucket], prefix = local.topology.claims.prefix }
  deletion_protection = var.deletion_protection
  drop_arn            = module.objects.bucket_arns[local.drop_bucket]
  package_files       = local.package_files
  role_boundary_arn   = module.ci.role_boundary_arn
  scope               = local.scope
  secrets             = var.secrets
  systems             = var.systems
  table_arns          = module.store.table_arns
  table_index_arns    = module.store.table_index_arns
  topic_arns          = compact([module.messaging.topic_arn, module.messaging.ordering.topic_arn])
  functions = {
    for name, service in local.functions : name => {
      batch_size      = service.limits.batch_size
      batch_window_s  = service.limits.batch_window_s
      bucket_arn      = service.trigger == "object" ? module.objects.bucket_arns[service.bucket] : null
      dead_letter_arn = try(module.messaging.dead_letter_queue_arns[name], null)
      environment     = merge(local.environment, service.trigger == "http" ? local.environment_oidc : {}, local.provider_settings[name])
      every_s         = try(service.every_s, null)
      fetches         = try(service.fetches, [])
      hears           = length(try(service.hears, [])) > 0
      keeps           = try(service.keeps, [])
      log_group       = module.observability.function_log_groups[name]
      max_concurrency = service.limits.max_concurrency
      memory_mb       = service.limits.memory_mb
      publishes       = length(service.emits) > 0
      queue_arn       = try(module.messaging.queue_arns[name], null)
      reads           = service.collections.read
      timeout_s       = service.limits.timeout_s
      trigger         = service.trigger
      uses            = concat(service.uses, length(concat(service.emits, try(service.hears, []))) > 0 ? local.signing : [], service.trigger == "http" ? local.webhook : [])
      writes          = service.collections.write
    }
  }
}

module "api" {
  source = "./modules/api"

  name             = local.name
  function_arn     = module.functions.arns[local.door]
  function_name    = module.functions.names[local.door]
  log_group_arn    = module.observability.api_log_group_arn
  max_concurrency  = local.doors[local.door].limits.max_concurrency
  oidc             = { issuer = var.oidc.issuer, audience = var.oidc.audience }
  timeout_s        = local.doors[local.door].limits.timeout_s
  unguarded_routes = concat(["GET /health", "GET /openapi.json"], length(local.webhook) == 0 ? [] : ["POST /webhooks/stripe"])
}

module "schedule" {
  source = "./modules/schedule"

  name              = local.name
  role_boundary_arn = module.ci.role_boundary_arn
  scope             = local.scope
  schedules = {
    for name, service in local.schedules : name => {
      every_s      = service.every_s
      function_arn = module.functions.arns[name]
    }
  }
}

module "observability" {
  source = "./modules/observability"

  name                = local.name
  alarm_email         = var.alarm_email
  api_id              = module.api.id
  business_metrics    = var.telemetry == "cloud"
  deletion_protection = var.deletion_protection
  log_retention_days  = var.log_retention_days
  scope               = local.scope
  topic_name          = module.messaging.topic_name
  webhooks            = length(local.webhook) == 0 ? [] : [local.door]
  functions = {
    for name, service in local.functions : name => {
      emits                  = length(service.emits)
      every_s                = try(service.every_s, null)
      hears                  = length(try(service.hears, []))
      oldest_message_alarm_s = service.limits.oldest_message_alarm_s
      ordered                = try(service.ordered, false)
      trigger                = service.trigger
    }
  }
  sinks = { for name, service in local.sinks : name => { every_s = service.every_s } }
}

module "budget" {
  source = "./modules/budget"

  name        = local.name
  alarm_email = var.alarm_email
  monthly     = var.budget_monthly
}

module "ci" {
  source = "./modules/ci"

  name              = local.name
  environment       = var.environment
  github_repository = var.github_repository
  scope             = local.scope
  state_bucket      = "${var.prefix}-state-${var.account_id}"
  systems           = var.systems
}
