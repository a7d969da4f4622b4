data "azurerm_client_config" "this" {}

resource "azurerm_resource_group" "this" {
  name     = local.name
  location = var.region
  tags     = local.tags
}

# The code that the functions are to run. It is published after the apply, because a Flex Consumption app takes code
# only by "one deploy" (learn.microsoft.com/azure/azure-functions/functions-infrastructure-as-code#deployment-package:
# a blob put into the container is not deployed), and azurerm's zip_deploy_file calls another endpoint, which answers
# 404 (github.com/hashicorp/terraform-provider-azurerm/issues/29630).
resource "terraform_data" "package" {
  input = filesha256(var.package_file)
}

module "messaging" {
  source = "./modules/messaging"

  dead_letters        = module.objects.dead_letters
  location            = azurerm_resource_group.this.location
  name                = local.name
  queues              = local.queues
  resource_group_name = azurerm_resource_group.this.name
  suffix              = local.suffix
  tags                = local.tags
}

module "store" {
  source = "./modules/store"

  account_name        = "${local.compact}st${local.suffix}"
  collections         = local.topology.collections
  deletion_protection = var.deletion_protection
  location            = azurerm_resource_group.this.location
  name                = local.name
  redundant           = local.redundant
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
}

module "objects" {
  source = "./modules/objects"

  account_name        = "${local.compact}ob${local.suffix}"
  buckets             = local.topology.buckets
  deletion_protection = var.deletion_protection
  location            = azurerm_resource_group.this.location
  name                = local.name
  redundant           = local.redundant
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
  watchers = {
    for service, bucket in local.watchers : service => { bucket = bucket, queue_id = module.messaging.queue_ids[service] }
  }
}

module "functions" {
  source = "./modules/functions"

  account_id                             = var.account_id
  application_insights_connection_string = module.observability.application_insights_connection_string
  application_insights_id                = module.observability.application_insights_id
  archive_bucket                         = local.archive_bucket
  claims                                 = local.topology.claims
  compact_name                           = local.compact
  container_ids                          = module.objects.container_ids
  dead_letter_queue_ids                  = module.messaging.dead_letter_queue_ids
  deletion_protection                    = var.deletion_protection
  drop_bucket                            = local.drop_bucket
  environment                            = local.environment
  functions                              = local.functions
  location                               = azurerm_resource_group.this.location
  name                                   = local.name
  queue_ids                              = module.messaging.queue_ids
  redundant                              = local.redundant
  resource_group_name                    = azurerm_resource_group.this.name
  secrets                                = var.secrets
  suffix                                 = local.suffix
  table_ids                              = module.store.table_ids
  tags                                   = local.tags
  tenant_id                              = data.azurerm_client_config.this.tenant_id
  topic_id                               = module.messaging.topic_id
}

module "api" {
  source = "./modules/api"

  hosts  = { for name in local.doors : name => module.functions.hosts[name] }
  limits = { for name in local.doors : name => local.limits[name] }
  oidc   = var.oidc
}

module "schedule" {
  source = "./modules/schedule"

  action_group_id     = module.observability.action_group_id
  location            = azurerm_resource_group.this.location
  name                = local.name
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
  timers              = { for name, seconds in local.timers : name => { every_seconds = seconds, function_name = module.functions.names[name] } }
  workspace_id        = module.observability.workspace_id
}

module "observability" {
  source = "./modules/observability"

  alarm_email = var.alarm_email
  audited = {
    bus   = { id = module.messaging.namespace_id, logs = ["OperationalLogs"] }
    topic = { id = module.messaging.topic_id, logs = ["DeliveryFailures", "PublishFailures"] }
    vault = { id = module.functions.vault_id, logs = ["AuditEvent"] }
  }
  business_metrics   = var.telemetry == "cloud"
  doors              = [for name in local.doors : module.functions.names[name]]
  functions          = module.functions.names
  hears              = { for name, service in local.services : name => service.hears if can(service.hears) }
  location           = azurerm_resource_group.this.location
  log_retention_days = var.log_retention_days
  name               = local.name
  namespace_id       = module.messaging.namespace_id
  queues = {
    for name, queue in local.queues : name => {
      dead_letter_name = try(module.messaging.dead_letter_queue_names[name], null)
      name             = module.messaging.queue_names[name]
      oldest_seconds   = queue.oldest_seconds
      subscription     = try(module.messaging.subscription_names[name], null)
    }
  }
  resource_group_name = azurerm_resource_group.this.name
  storage_account_ids = { objects = module.objects.account_id, store = module.store.account_id }
  tags                = local.tags
  topic_id            = module.messaging.topic_id
  webhooks            = length(local.webhook) == 0 ? [] : [for name in local.doors : module.functions.names[name]]
}

module "budget" {
  source = "./modules/budget"

  alarm_email       = var.alarm_email
  budget_monthly    = var.budget_monthly
  name              = local.name
  resource_group_id = azurerm_resource_group.this.id
}

module "ci" {
  source = "./modules/ci"

  environment         = var.environment
  github_repository   = var.github_repository
  location            = azurerm_resource_group.this.location
  name                = local.name
  resource_group_id   = azurerm_resource_group.this.id
  resource_group_name = azurerm_resource_group.this.name
  roles               = module.functions.roles
  tags                = local.tags
}
