output "dead_letter_queue_arns" {
  description = "ARN of the dead-letter queue by service."
  value       = local.dead_letter_arns
  depends_on  = [aws_sqs_queue.dead_letter]
}

output "dead_letter_queue_urls" {
  description = "URL of the dead-letter queue by service."
  value       = { for service, queue in aws_sqs_queue.dead_letter : service => queue.url }
}

output "filter_policies" {
  description = "What the subscription of a service lets through, as SNS has it; null hears everything."
  value       = { for service, subscription in aws_sns_topic_subscription.this : service => subscription.filter_policy }
}

output "ordering" {
  description = "ARN of the topic for services whose events are in order, null without any, and their names."
  value = {
    services  = local.ordered_services
    topic_arn = length(local.ordered_services) > 0 ? local.ordered_topic_arn : null
  }
  depends_on = [aws_sns_topic.ordered]
}

output "queue_arns" {
  description = "ARN of the queue by service, to be had once its source may send to it."
  value       = local.queue_arns
  depends_on  = [aws_sqs_queue.this, aws_sqs_queue_policy.this]
}

output "queue_urls" {
  description = "URL of the queue by service."
  value       = { for service, queue in aws_sqs_queue.this : service => queue.url }
}

output "topic_arn" {
  description = "ARN of the topic."
  value       = local.topic_arn
  depends_on  = [aws_sns_topic.this]
}

output "topic_name" {
  description = "Name of the topic."
  value       = aws_sns_topic.this.name
}
