# A row a service: requests, latency, backlog, dead letters; above them what one order takes, and the business where the
# functions report it.

locals {
  row_height = 12
  rows_above = var.business_metrics ? 2 : 1

  amplification_tiles = [
    for index, what in sort(keys(local.amplification)) : {
      title = "${what} per accepted order (most: ${local.amplification[what].most})"
      x     = 16 * index, y = 0, width = 16
      data  = [{ query = "sum(increase(${local.amplification[what].count}[1h])) / (${local.accepted} > 0)", legend = what }]
    }
  ]

  # As functions/shared/orderflow/metrics.py names them, which PromQL takes in quotes; `cluster` is what terraform/gcp/locals.tf
  # has the functions say (docs.cloud.google.com/stackdriver/docs/otlp-metrics/overview).
  business_tiles = [
    for index, tile in [
      {
        title = "Orders"
        data = [
          for what in ["placed", "confirmed", "shipped"] : {
            query  = "sum(increase({\"orderflow.orders.${what}\", cluster=\"${var.name}\"}[5m]))"
            legend = what
          }
        ]
      },
      {
        title = "Cancelled, by reason"
        data = [{
          query  = "sum by (reason) (increase({\"orderflow.orders.cancelled\", cluster=\"${var.name}\"}[5m]))"
          legend = null
        }]
      },
      {
        title = "Revenue, minor units"
        data = [{
          query  = "sum by (currency) (increase({\"orderflow.revenue\", cluster=\"${var.name}\"}[5m]))"
          legend = null
        }]
      },
      {
        title = "Placed to shipped, s"
        data = [
          for quantile in ["0.5", "0.95"] : {
            query  = "histogram_quantile(${quantile}, sum by (le) (increase({\"orderflow.order.time_to_ship_bucket\", cluster=\"${var.name}\"}[1h])))"
            legend = quantile
          }
        ]
      },
    ] : merge(tile, { x = 12 * index, y = local.row_height, width = 12 }) if var.business_metrics
  ]

  function_tiles = flatten([
    for index, service in sort(keys(var.functions)) : [
      {
        title = "${service}: requests a second by answer"
        x     = 0, y = local.row_height * (index + local.rows_above), width = 12
        data = [{
          query  = "sum by (response_code_class) (rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"${var.functions[service]}\"}[5m]))"
          legend = null # The label in which the series differ.
        }]
      },
      {
        title = "${service}: p50 and p95, ms"
        x     = 12, y = local.row_height * (index + local.rows_above), width = 12
        data = [
          for quantile in ["0.5", "0.95"] : {
            query  = "histogram_quantile(${quantile}, sum by (le) (increase(run_googleapis_com:request_latencies_bucket{monitored_resource=\"cloud_run_revision\",service_name=\"${var.functions[service]}\"}[5m])))"
            legend = quantile
          }
        ]
      },
    ]
  ])

  queue_tiles = flatten([
    for index, service in sort(keys(var.functions)) : [
      {
        title = "${service}: messages waiting, and age of the oldest in seconds"
        x     = 24, y = local.row_height * (index + local.rows_above), width = 12
        data = [
          for metric in ["num_undelivered_messages", "oldest_unacked_message_age"] : {
            query  = "max(pubsub_googleapis_com:subscription_${metric}{monitored_resource=\"pubsub_subscription\",subscription_id=\"${basename(var.queues[service])}\"})"
            legend = metric
          }
        ]
      },
      {
        title = "${service}: dead letters"
        x     = 36, y = local.row_height * (index + local.rows_above), width = 12
        data = [{
          query  = "max(pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=\"${basename(var.dead_letter_queues[service])}\"})"
          legend = "dead letters"
        }]
      },
    ] if contains(keys(var.queues), service)
  ])
}

resource "google_monitoring_dashboard" "this" {
  project = var.project

  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 48
      tiles = [
        for tile in concat(local.amplification_tiles, local.business_tiles, local.function_tiles, local.queue_tiles) : {
          xPos   = tile.x
          yPos   = tile.y
          width  = tile.width
          height = local.row_height
          widget = {
            title = tile.title
            xyChart = {
              dataSets = [
                for series in tile.data : merge(
                  {
                    plotType        = "LINE"
                    targetAxis      = "Y1"
                    timeSeriesQuery = { prometheusQuery = series.query }
                  },
                  series.legend == null ? {} : { legendTemplate = series.legend },
                )
              ]
            }
          }
        }
      ]
    }
  })
}
