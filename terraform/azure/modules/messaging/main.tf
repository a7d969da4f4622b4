locals {
  # As Service Bus writes durations: it answers PT3M where PT180S was asked for, which would be a difference in every plan.
  lock_durations = {
    for service, queue in var.queues : service => join("", [
      "PT",
      queue.lock_seconds >= 60 ? "${floor(queue.lock_seconds / 60)}M" : "",
      queue.lock_seconds % 60 > 0 ? "${queue.lock_seconds % 60}S" : "",
    ])
  }

  dead_letter_queues = { for service, queue in var.queues : service => queue if queue.own_dead_letters }
}

resource "azurerm_servicebus_namespace" "this" {
  name                = "${var.name}-${var.suffix}"
  location            = var.location
  resource_group_name = var.resource_group_name

  # Basic keeps no message longer than 14 days (learn.microsoft.com/azure/service-bus-messaging/message-expiration), and a
  # dead letter must outlast the messages of its queue; Premium is paid by the hour.
  sku                = "Standard"
  local_auth_enabled = false

  minimum_tls_version           = "1.2"
  public_network_access_enabled = true

  tags = var.tags
}

# Unread messages go to the queue's own $deadletterqueue after 14 days, as do those that were delivered too often.
resource "azurerm_servicebus_queue" "this" {
  for_each = var.queues

  name         = "${var.name}-${each.key}"
  namespace_id = azurerm_servicebus_namespace.this.id

  dead_lettering_on_message_expiration = true
  default_message_ttl                  = "P14D"
  lock_duration                        = local.lock_durations[each.key]
  max_delivery_count                   = each.value.max_deliveries
  max_size_in_megabytes                = 5120
}

# What a service gave up on, with the reason. Its native $deadletterqueue cannot be written to by a sender, and knows no
# reason but its own. The tools look for a letter from the front of the queue and give back the others, which counts as a
# delivery of each: hence the highest count that Service Bus takes.
resource "azurerm_servicebus_queue" "dead_letter" {
  for_each = local.dead_letter_queues

  name         = "${var.name}-${each.key}-dlq"
  namespace_id = azurerm_servicebus_namespace.this.id

  dead_lettering_on_message_expiration = true
  default_message_ttl                  = "P365D"
  lock_duration                        = "PT1M"
  max_delivery_count                   = 2000
  max_size_in_megabytes                = 5120
}
