locals {
  consumers = { for service, function in var.functions : service => function if function.trigger == "queue" }
  queues    = { for service, function in var.functions : service => function if contains(["queue", "object"], function.trigger) }
  schedules = { for service, function in var.functions : service => function if function.trigger == "schedule" }

  function_names    = { for service in keys(var.functions) : service => "${var.name}-${service}" }
  queue_names       = { for service in keys(local.queues) : service => "${var.name}-${service}" }
  dead_letter_names = { for service in concat(keys(local.queues), keys(var.sinks)) : service => "${var.name}-${service}-dlq" }
  stream_names      = { for sink in keys(var.sinks) : sink => "${var.name}-${sink}" }
}
