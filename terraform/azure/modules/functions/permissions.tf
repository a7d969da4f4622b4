resource "azurerm_user_assigned_identity" "this" {
  for_each = var.functions

  name                = "${var.name}-${each.key}"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = merge(var.tags, { service = each.key })
}

# Whatever a role allows on blobs, only below a prefix. Blobs are listed by none of them
# (learn.microsoft.com/azure/storage/blobs/storage-auth-abac-examples, storage-auth-abac-attributes).
locals {
  blob_actions = ["read", "write", "add/action", "move/action", "delete"]

  prefixes = toset(flatten([var.claims.prefix, [for function in values(var.functions) : concat(tolist(function.fetches), tolist(function.keeps))]]))

  only_below = { for prefix in local.prefixes : prefix => <<-CONDITION
    (
      ${join(" AND ", [for action in local.blob_actions : "!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/${action}'})"])}
    )
    OR
    (
      @Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringStartsWith '${prefix}'
    )
  CONDITION
  }
}

# What each service may do, and on what: "<service>/<why>" => role and scope.
#
# On a queue "Data Receiver" without "Data Owner" makes the platform scale one instance at a time instead of by the
# queue's length (learn.microsoft.com/azure/azure-functions/functions-target-based-scaling#service-bus-queues-and-topics);
# the owner could also change or delete the queue.
locals {
  sends_again = ["queue", "object"]

  permissions = merge([
    for service, function in var.functions : merge(
      {
        "${service}/host" = {
          role  = "Storage Blob Data Owner"
          scope = azurerm_storage_account.host[service].id
        }
        "${service}/telemetry" = {
          role  = "Monitoring Metrics Publisher"
          scope = var.application_insights_id
        }
      },
      contains(keys(var.queue_ids), service) ? {
        "${service}/receive" = {
          role  = "Azure Service Bus Data Receiver"
          scope = var.queue_ids[service]
        }
      } : {},
      # A message that is to come again later is put into the queue anew.
      contains(local.sends_again, function.trigger) ? {
        "${service}/retry" = {
          role  = "Azure Service Bus Data Sender"
          scope = var.queue_ids[service]
        }
      } : {},
      contains(keys(var.dead_letter_queue_ids), service) ? {
        "${service}/dead-letter" = {
          role  = "Azure Service Bus Data Sender"
          scope = var.dead_letter_queue_ids[service]
        }
      } : {},
      length(function.emits) > 0 ? {
        "${service}/publish" = {
          role  = "EventGrid Data Sender"
          scope = var.topic_id
        }
      } : {},
      {
        for collection in setsubtract(function.collections.read, function.collections.write) : "${service}/read-${collection}" => {
          role  = "Storage Table Data Reader"
          scope = var.table_ids[collection]
        }
      },
      {
        for collection in function.collections.write : "${service}/write-${collection}" => {
          role  = "Storage Table Data Contributor"
          scope = var.table_ids[collection]
        }
      },
      # Dropped files are read, and what is bad in them is put aside in the archive; the sink writes its own bucket.
      function.trigger == "object" ? {
        "${service}/objects" = {
          role  = "Storage Blob Data Reader"
          scope = var.container_ids[function.bucket]
        }
        "${service}/quarantine" = {
          role  = "Storage Blob Data Contributor"
          scope = var.container_ids[var.archive_bucket]
        }
      } : {},
      function.trigger == "sink" ? {
        "${service}/objects" = {
          role  = "Storage Blob Data Contributor"
          scope = var.container_ids[function.bucket]
        }
      } : {},
      # Data too large for the topic (orderflow.claims).
      length(function.emits) > 0 ? {
        "${service}/store-claims" = {
          role      = "Storage Blob Data Contributor"
          scope     = var.container_ids[var.claims.bucket]
          condition = local.only_below[var.claims.prefix]
        }
      } : {},
      length(function.hears) > 0 ? {
        "${service}/redeem-claims" = {
          role      = "Storage Blob Data Reader"
          scope     = var.container_ids[var.claims.bucket]
          condition = local.only_below[var.claims.prefix]
        }
      } : {},
      {
        for prefix in function.fetches : "${service}/fetch-${trimsuffix(prefix, "/")}" => {
          role      = "Storage Blob Data Reader"
          scope     = var.container_ids[var.drop_bucket]
          condition = local.only_below[prefix]
        }
      },
      {
        for prefix in function.keeps : "${service}/keep-${trimsuffix(prefix, "/")}" => {
          role      = "Storage Blob Data Contributor"
          scope     = var.container_ids[var.archive_bucket]
          condition = local.only_below[prefix]
        }
      },
      {
        for secret in setintersection(var.secrets, function.uses) : "${service}/secret-${secret}" => {
          role  = "Key Vault Secrets User"
          scope = azapi_resource.secret[secret].id
        }
      },
    )
  ]...)
}

resource "azurerm_role_assignment" "this" {
  for_each = local.permissions

  condition            = try(each.value.condition, null)
  condition_version    = can(each.value.condition) ? "2.0" : null
  description          = each.key
  principal_id         = azurerm_user_assigned_identity.this[split("/", each.key)[0]].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = each.value.role
  scope                = each.value.scope
}
