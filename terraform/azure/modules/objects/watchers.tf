# A new object reaches a queue, as on the other clouds, and not the blob trigger of Azure Functions: its events come
# through a web hook with a key in its address (learn.microsoft.com/azure/azure-functions/functions-event-grid-blob-trigger),
# which would have to be in the state, and it knows neither delayed retries nor a dead-letter queue.
resource "azurerm_eventgrid_system_topic" "this" {
  name                = "${var.name}-objects"
  location            = var.location
  resource_group_name = var.resource_group_name

  source_resource_id = azurerm_storage_account.this.id
  topic_type         = "Microsoft.Storage.StorageAccounts"

  identity {
    type = "SystemAssigned"
  }

  tags = var.tags
}

resource "azurerm_role_assignment" "deliver" {
  for_each = var.watchers

  description          = "Event Grid tells ${each.key}'s queue of new objects"
  principal_id         = azurerm_eventgrid_system_topic.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Azure Service Bus Data Sender"
  scope                = each.value.queue_id
}

resource "azurerm_role_assignment" "dead_letter" {
  description          = "Event Grid keeps what it could not tell"
  principal_id         = azurerm_eventgrid_system_topic.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Storage Blob Data Contributor"
  scope                = azurerm_storage_container.this[local.dead_letters].id
}

resource "azurerm_eventgrid_system_topic_event_subscription" "this" {
  for_each = var.watchers

  name                = each.key
  resource_group_name = var.resource_group_name
  system_topic        = azurerm_eventgrid_system_topic.this.name

  event_delivery_schema         = "CloudEventSchemaV1_0"
  included_event_types          = ["Microsoft.Storage.BlobCreated"]
  service_bus_queue_endpoint_id = each.value.queue_id

  delivery_identity {
    type = "SystemAssigned"
  }

  # learn.microsoft.com/azure/event-grid/event-schema-blob-storage: the subject says container and name.
  subject_filter {
    case_sensitive      = true
    subject_begins_with = "/blobServices/default/containers/${each.value.bucket}/blobs/"
  }

  retry_policy {
    event_time_to_live    = 1440
    max_delivery_attempts = 30
  }

  dead_letter_identity {
    type = "SystemAssigned"
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = azurerm_storage_account.this.id
    storage_blob_container_name = azurerm_storage_container.this[local.dead_letters].name
  }

  depends_on = [azurerm_role_assignment.dead_letter, azurerm_role_assignment.deliver]
}
