output "identity" {
  description = "Role (ARN) for plan and for apply, or null."
  value       = length(local.role_arns) > 0 ? local.role_arns : null
  depends_on  = [aws_iam_role.this]
}

output "role_boundary_arn" {
  description = "Permissions boundary that every other role must have, or null."
  value       = one([for repository in local.repositories : local.boundary_arn])
  depends_on  = [aws_iam_policy.boundary]
}
