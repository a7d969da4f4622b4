data "azurerm_role_definition" "given" {
  for_each = length(local.appliers) > 0 ? var.roles : toset([])

  name = each.key
}

locals {
  _given = join(", ", sort([for role in values(data.azurerm_role_definition.given) : basename(role.role_definition_id)]))

  # Roles may be given and taken away, but only those of functions and of Event Grid, and only to identities like theirs
  # (learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples).
  only_given_roles = <<-CONDITION
    (
      !(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})
      OR
      (
        @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${local._given}}
        AND
        @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'ServicePrincipal'}
      )
    )
    AND
    (
      !(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})
      OR
      @Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${local._given}}
    )
  CONDITION
}

resource "azurerm_role_assignment" "apply" {
  for_each = local.appliers

  description          = "CI changes what is in this resource group"
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Contributor"
  scope                = var.resource_group_id
}

resource "azurerm_role_assignment" "give_roles" {
  for_each = local.appliers

  condition            = local.only_given_roles
  condition_version    = "2.0"
  description          = "CI gives functions their roles, and no others"
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Role Based Access Control Administrator"
  scope                = var.resource_group_id
}

resource "azurerm_role_assignment" "plan" {
  for_each = local.planners

  description          = "CI reads what there is"
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Reader"
  scope                = var.resource_group_id
}

# A plan refreshes function apps, topic and workspace by calls that are no plain reads. The keys that two of them answer
# open nothing: local authentication is off everywhere.
resource "azurerm_role_definition" "refresh" {
  for_each = local.planners

  name              = "${var.name} refresh"
  assignable_scopes = [var.resource_group_id]
  description       = "What a Terraform plan calls beside plain reads"
  scope             = var.resource_group_id

  permissions {
    actions = [
      "Microsoft.EventGrid/topics/listKeys/action",
      "Microsoft.OperationalInsights/workspaces/sharedKeys/action",
      "Microsoft.Web/sites/config/list/action",
    ]
  }
}

resource "azurerm_role_assignment" "refresh" {
  for_each = local.planners

  description        = "CI refreshes what it plans"
  principal_id       = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type     = "ServicePrincipal"
  role_definition_id = azurerm_role_definition.refresh[each.key].role_definition_resource_id
  scope              = var.resource_group_id
}
