locals {
  consumers = { for service, function in var.functions : service => function if function.trigger == "queue" }
  queues    = { for service, function in var.functions : service => function if contains(["queue", "object"], function.trigger) }
  schedules = { for service, function in var.functions : service => function if function.trigger == "schedule" }

  function_names = { for service in keys(var.functions) : service => "${var.name}-${service}" }
  suffixes       = { for service, function in local.queues : service => function.ordered ? ".fifo" : "" }
  queue_names    = { for service, suffix in local.suffixes : service => "${var.name}-${service}${suffix}" }
  dead_letter_names = merge(
    { for service, suffix in local.suffixes : service => "${var.name}-${service}-dlq${suffix}" },
    { for sink in keys(var.sinks) : sink => "${var.name}-${sink}-dlq" },
  )
  stream_names = { for sink in keys(var.sinks) : sink => "${var.name}-${sink}" }
}
