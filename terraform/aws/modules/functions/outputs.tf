output "arns" {
  description = "ARN of the function by service."
  value = {
    for service in keys(var.functions) :
    service => "arn:${var.scope.partition}:lambda:${var.scope.region}:${var.scope.account_id}:function:${var.name}-${service}"
  }
  depends_on = [aws_lambda_function.this]
}

output "grants" {
  description = "What the role of a service may do, by purpose: actions and resources."
  value = {
    for service, grants in local.grants : service => { for purpose, grant in grants : purpose => grant if length(grant.resources) > 0 }
  }
}

output "names" {
  description = "Name of the function by service."
  value       = { for service, function in aws_lambda_function.this : service => function.function_name }
}

output "provider_settings" {
  description = "What a function is told of the providers of the external systems that it uses, by service."
  value = {
    for service, function in aws_lambda_function.this : service => {
      for name, value in function.environment[0].variables : name => value if anytrue([for system in var.functions[service].uses : startswith(name, "ORDERFLOW_${upper(system)}")])
    }
  }
}

output "role_names" {
  description = "Role of the function by service (name)."
  value       = { for service, role in aws_iam_role.this : service => role.name }
}
