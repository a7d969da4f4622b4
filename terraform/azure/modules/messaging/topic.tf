locals {
  subscriptions = { for service, queue in var.queues : service => queue if queue.subscribed }
}

resource "azurerm_eventgrid_topic" "this" {
  name                = "${var.name}-events-${var.suffix}"
  location            = var.location
  resource_group_name = var.resource_group_name

  input_schema                  = "CloudEventSchemaV1_0"
  local_auth_enabled            = false
  public_network_access_enabled = true

  identity {
    type = "SystemAssigned"
  }

  tags = var.tags
}

# The roles of learn.microsoft.com/azure/event-grid/add-identity-roles, each on one queue or container only.
resource "azurerm_role_assignment" "deliver" {
  for_each = local.subscriptions

  description          = "Event Grid delivers to ${each.key}'s queue"
  principal_id         = azurerm_eventgrid_topic.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Azure Service Bus Data Sender"
  scope                = azurerm_servicebus_queue.this[each.key].id
}

resource "azurerm_role_assignment" "dead_letter" {
  description          = "Event Grid keeps events that it could not deliver"
  principal_id         = azurerm_eventgrid_topic.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Storage Blob Data Contributor"
  scope                = var.dead_letters.container_id
}

resource "azurerm_eventgrid_event_subscription" "this" {
  for_each = local.subscriptions

  name  = each.key
  scope = azurerm_eventgrid_topic.this.id

  # The provider's default is Event Grid's own schema, which a topic of CloudEvents cannot deliver.
  event_delivery_schema         = "CloudEventSchemaV1_0"
  service_bus_queue_endpoint_id = azurerm_servicebus_queue.this[each.key].id

  delivery_identity {
    type = "SystemAssigned"
  }

  # An extension attribute of a CloudEvent is a key by its bare name; all filters must match, each with any of its values,
  # compared without case (learn.microsoft.com/azure/event-grid/event-filtering#use-extension-context-attributes-for-filtering).
  dynamic "advanced_filter" {
    for_each = length(each.value.filter) > 0 ? [each.value.filter] : []

    content {
      dynamic "string_in" {
        for_each = advanced_filter.value

        content {
          key    = string_in.key
          values = string_in.value
        }
      }
    }
  }

  # The longest that there is: a day.
  retry_policy {
    event_time_to_live    = 1440
    max_delivery_attempts = 30
  }

  dead_letter_identity {
    type = "SystemAssigned"
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = var.dead_letters.account_id
    storage_blob_container_name = var.dead_letters.container_name
  }

  depends_on = [azurerm_role_assignment.dead_letter, azurerm_role_assignment.deliver]
}
