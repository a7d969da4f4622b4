output "arns" {
  description = "ARN of the function by service."
  value = {
    for service in keys(var.functions) :
    service => "arn:${var.scope.partition}:lambda:${var.scope.region}:${var.scope.account_id}:function:${var.name}-${service}"
  }
  depends_on = [aws_lambda_function.this]
}

output "names" {
  description = "Name of the function by service."
  value       = { for service, function in aws_lambda_function.this : service => function.function_name }
}
