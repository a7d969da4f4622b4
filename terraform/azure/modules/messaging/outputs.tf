output "dead_letter_queue_ids" {
  description = "Ids of the services' own dead-letter queues, by service."
  value       = { for service, queue in azurerm_servicebus_queue.dead_letter : service => queue.id }
}

output "dead_letter_queue_names" {
  description = "Names of the services' own dead-letter queues, by service."
  value       = { for service, queue in azurerm_servicebus_queue.dead_letter : service => queue.name }
}

output "filters" {
  description = "Filters of the event subscriptions, by service: values by attribute; {} hears everything."
  value = {
    for service, subscription in azurerm_eventgrid_event_subscription.this : service => {
      for filter in try(subscription.advanced_filter[0].string_in, []) : filter.key => filter.values
    }
  }
}

output "locks" {
  description = "Lock durations of the queues, by service, in ISO 8601."
  value       = { for service, queue in azurerm_servicebus_queue.this : service => queue.lock_duration }
}

output "max_deliveries" {
  description = "How often Service Bus hands a message over before it gives up, by service."
  value       = { for service, queue in azurerm_servicebus_queue.this : service => queue.max_delivery_count }
}

output "namespace_host" {
  description = "Host name of the Service Bus namespace."
  value       = "${azurerm_servicebus_namespace.this.name}.servicebus.windows.net"
}

output "namespace_id" {
  description = "Id of the Service Bus namespace."
  value       = azurerm_servicebus_namespace.this.id
}

output "namespace_name" {
  description = "Name of the Service Bus namespace."
  value       = azurerm_servicebus_namespace.this.name
}

output "queue_ids" {
  description = "Ids of the queues, by service."
  value       = { for service, queue in azurerm_servicebus_queue.this : service => queue.id }
}

output "queue_names" {
  description = "Names of the queues, by service."
  value       = { for service, queue in azurerm_servicebus_queue.this : service => queue.name }
}

output "subscription_names" {
  description = "Names of the event subscriptions, by service."
  value       = { for service, subscription in azurerm_eventgrid_event_subscription.this : service => subscription.name }
}

output "topic_endpoint" {
  description = "Address that events are published to."
  value       = azurerm_eventgrid_topic.this.endpoint
}

output "topic_id" {
  description = "Id of the Event Grid topic."
  value       = azurerm_eventgrid_topic.this.id
}

output "topic_name" {
  description = "Name of the Event Grid topic."
  value       = azurerm_eventgrid_topic.this.name
}
