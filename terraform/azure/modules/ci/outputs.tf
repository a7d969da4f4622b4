output "client_ids" {
  description = "Client ids of the identities, by what they are for: plan and apply; null without a repository."
  value       = length(local.subjects) == 0 ? null : { for identity in keys(local.subjects) : identity => azurerm_user_assigned_identity.this[identity].client_id }
}
