data "google_project" "this" {
  project_id = var.account_id
}

resource "google_project_service" "this" {
  for_each = toset(concat(var.telemetry == "cloud" ? ["telemetry.googleapis.com"] : [], [
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "cloudbilling.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
  ]))

  project = var.account_id
  service = each.key

  # Others in the project may use them as well.
  disable_on_destroy = false
}

module "messaging" {
  source = "./modules/messaging"

  name     = local.name
  project  = local.project
  push     = module.functions.push
  services = local.fed
  topic    = local.topology.topic
}

module "store" {
  source = "./modules/store"

  collections         = local.topology.collections
  deletion_protection = var.deletion_protection
  name                = local.name
  project             = local.project.id
  region              = var.region
}

module "objects" {
  source = "./modules/objects"

  buckets             = local.topology.buckets
  deletion_protection = var.deletion_protection
  name                = local.name
  project             = local.project
  region              = var.region
  sinks               = local.sinks
  topic               = module.messaging.topic.id
  watchers = {
    for name, service in local.watching : name => { bucket = service.bucket, topic = module.messaging.object_topics[name] }
  }
}

module "functions" {
  source = "./modules/functions"

  buckets               = module.objects.buckets
  claims                = { bucket = module.objects.buckets[local.topology.claims.bucket], prefix = local.topology.claims.prefix }
  database              = module.store.database.id
  dead_letter_topics    = module.messaging.dead_letter_topics
  drop_bucket           = local.drop_bucket
  environment_variables = local.environment_variables
  name                  = local.name
  oidc                  = var.oidc
  package_file          = var.package_file
  project               = local.project
  quarantine            = { bucket = local.archive_bucket, prefix = "quarantine/" }
  region                = var.region
  secrets               = var.secrets
  services = {
    for name, service in local.functions : name => merge(service, {
      uses     = concat(service.uses, length(concat(try(service.emits, []), try(service.hears, []))) > 0 ? local.signing : [], service.trigger == "http" ? local.webhook : [])
      settings = local.provider_settings[name]
    })
  }
  telemetry_roles = var.telemetry == "cloud" ? ["roles/telemetry.metricsWriter", "roles/telemetry.tracesWriter"] : []
  topic           = module.messaging.topic.name
}

module "api" {
  source = "./modules/api"

  functions = { for name in keys(local.http) : name => module.functions.functions[name] }
  project   = local.project.id
  region    = var.region
  urls      = module.functions.urls
}

module "schedule" {
  source = "./modules/schedule"

  name     = local.name
  project  = local.project.id
  push     = module.functions.push
  region   = var.region
  services = local.scheduled
}

module "observability" {
  source = "./modules/observability"

  alarm_email        = var.alarm_email
  business_metrics   = var.telemetry == "cloud"
  dead_letter_queues = module.messaging.dead_letter_queues
  functions          = module.functions.functions
  log_retention_days = var.log_retention_days
  name               = local.name
  project            = local.project.id
  queues             = module.messaging.queues
  region             = var.region
  services           = local.functions
  sinks              = { for name, sink in local.sinks : name => { every_s = sink.every_s, id = module.objects.sinks[name] } }
  topic              = module.messaging.topic.name
  webhooks           = length(local.webhook) == 0 ? [] : keys(local.http)
}

module "budget" {
  source = "./modules/budget"

  amount          = var.budget_monthly
  billing_account = data.google_project.this.billing_account
  channel         = module.observability.channel
  name            = local.name
  project_number  = local.project.number
}

module "ci" {
  source = "./modules/ci"

  environment       = var.environment
  github_repository = var.github_repository
  granted_roles     = module.functions.project_roles
  name              = local.name
  project           = local.project.id
  source_bucket     = module.functions.source_bucket
}
