# One row for the whole, one for the business where the functions report it, one for the archive, then one a service: its
# queue, its calls, their duration.
locals {
  row_height = 6

  overview = [
    {
      title = "Orders and API"
      stat  = "Sum"
      metrics = [
        [var.name, "OrdersAccepted", { label = "orders accepted" }],
        ["AWS/ApiGateway", "Count", "ApiId", var.api_id, { label = "requests" }],
        ["AWS/ApiGateway", "4xx", "ApiId", var.api_id],
        ["AWS/ApiGateway", "5xx", "ApiId", var.api_id],
      ]
    },
    {
      title = "Per accepted order"
      stat  = "Sum"
      metrics = concat(
        [
          for name, work in local.amplification :
          [{ expression = "${name} / MAX([FILL(orders, 0), TIME_SERIES(1)])", label = name, id = "ratio_${name}" }]
        ],
        [[var.name, "OrdersAccepted", { id = "orders", visible = false }]],
        [
          for name, work in local.amplification :
          concat([work.namespace, work.metric_name], flatten([for key, value in work.dimensions : [key, value]]), [{ id = name, visible = false }])
        ],
      )
    },
    {
      title = "Dead letters"
      stat  = "Maximum"
      metrics = [
        for service, queue in local.dead_letter_names :
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, { label = service }]
      ]
    },
  ]

  # As functions/shared/orderflow/metrics.py names them. How many reasons and currencies there are is found by searching
  # (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html).
  business = [
    {
      title   = "Orders"
      stat    = "Sum"
      metrics = [for what in ["placed", "confirmed", "shipped"] : [var.name, "orderflow.orders.${what}", { label = what }]]
    },
    {
      title   = "Cancelled, by reason"
      stat    = "Sum"
      metrics = [[{ expression = "SEARCH('{\"${var.name}\",reason} MetricName=\"orderflow.orders.cancelled\"', 'Sum')", label = "" }]]
    },
    {
      title   = "Revenue, minor units"
      stat    = "Sum"
      metrics = [[{ expression = "SEARCH('{\"${var.name}\",currency} MetricName=\"orderflow.revenue\"', 'Sum')", label = "" }]]
    },
    {
      title   = "Placed to shipped (s)"
      stat    = "p95"
      metrics = [for stat in ["p50", "p95"] : [var.name, "orderflow.order.time_to_ship", { stat = stat, label = stat }]]
    },
  ]

  archive = concat(
    [
      for sink, stream in local.stream_names : {
        title   = "${sink}: age of the oldest event not yet written (s)"
        stat    = "Maximum"
        metrics = [["AWS/Firehose", "DeliveryToS3.DataFreshness", "DeliveryStreamName", stream]]
      }
    ],
    [{
      title = "Topic"
      stat  = "Sum"
      metrics = [
        ["AWS/SNS", "NumberOfMessagesPublished", "TopicName", var.topic_name],
        ["AWS/SNS", "NumberOfNotificationsDelivered", "TopicName", var.topic_name],
        ["AWS/SNS", "NumberOfNotificationsFailed", "TopicName", var.topic_name],
      ]
    }],
  )

  services = [
    for service, function in local.function_names : concat(
      [
        for queue in compact([lookup(local.queue_names, service, "")]) : {
          title = "${service}: queue"
          stat  = "Maximum"
          metrics = [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, { label = "waiting" }],
            ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", queue, { label = "in flight" }],
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, { label = "age of the oldest (s)", yAxis = "right" }],
          ]
        }
      ],
      [
        {
          title = "${service}: calls"
          stat  = "Sum"
          metrics = [
            ["AWS/Lambda", "Invocations", "FunctionName", function],
            ["AWS/Lambda", "Errors", "FunctionName", function],
            ["AWS/Lambda", "Throttles", "FunctionName", function],
          ]
        },
        {
          title = "${service}: duration (ms)"
          stat  = "p95"
          metrics = [
            ["AWS/Lambda", "Duration", "FunctionName", function, { stat = "p50", label = "p50" }],
            ["AWS/Lambda", "Duration", "FunctionName", function, { label = "p95" }],
          ]
        },
      ],
    )
  ]

  rows = concat([local.overview], [for row in [local.business] : row if var.business_metrics], [local.archive], local.services)
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = flatten([
      for row, widgets in local.rows : [
        for column, widget in widgets : {
          type   = "metric"
          x      = column * floor(24 / length(widgets))
          y      = row * local.row_height
          width  = floor(24 / length(widgets))
          height = local.row_height
          properties = {
            metrics = widget.metrics
            period  = 300
            region  = var.scope.region
            stat    = widget.stat
            title   = widget.title
            view    = "timeSeries"
          }
        }
      ]
    ])
  })
}
